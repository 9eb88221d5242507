/*
 * Reads a plan of `explain (verbose, format json)` for one question: is the value of a column given from
 * outside, by a parameter or a constant, in every row that counts? What says so is an equality, in a scan or a
 * join, on its own or by way of other columns. Written for the plans of PostgreSQL 17 and newer.
 */

export type Plan = {
  "Node Type": string;
  "Parent Relationship"?: "Outer" | "Inner" | "Member" | "Subquery" | "InitPlan" | "SubPlan";
  "Subplan Name"?: string;
  "Join Type"?: string;
  Strategy?: string;
  "Relation Name"?: string;
  Alias?: string;
  "CTE Name"?: string;
  "Function Call"?: string;
  Output?: string[];
  "Conflict Resolution"?: string;
  "Conflict Arbiter Indexes"?: string[];
  Plans?: Plan[];
  [condition: string]: unknown;
};

/** A scan of a table: its rows are called `alias` in all conditions of the plan. */
export type Scan = { table: string; alias: string };

/** Row by row, the column `to` has the value of the expression `from`. */
type Equality = { to: string; from: string };

export function allNodes(plan: Plan): Plan[] {
  return [plan, ...childrenOf(plan).flatMap(allNodes)];
}

export function scansOf(plan: Plan): Scan[] {
  return allNodes(plan).flatMap(({ "Node Type": type, "Relation Name": table, Alias: alias }) =>
    table && alias && type.endsWith("Scan") ? [{ table, alias }] : [],
  );
}

/**
 * A function that tells whether an expression of the plan is bound. `keysOf` names the sets of columns of a
 * table of which each binds `column`, where all of its columns are bound.
 */
export function bindings(
  plan: Plan,
  keysOf: (table: string, column: string) => string[][],
): (expression: string) => boolean {
  const nodes = allNodes(plan);
  const unions = unionsIn(nodes);
  const equal = [...equalities(plan, aliasesIn(plan), unions), ...hashedComparisons(nodes)];
  const scanned = new Map(scansOf(plan).map(({ alias, table }) => [alias, table]));

  /** The expressions that give a term its value: in each list, all must be bound. */
  function sources(term: string): string[][] {
    const [, name, position] =
      /^\((?:hashed )?((?:Init|Sub)Plan \d+)\)\.col(\d+)$/.exec(term) ?? [];
    if (name) return [outputsOf(subplan(name), Number(position) - 1)];
    const [alias = "", column = ""] = term.split(".");
    return [
      ...unions.flatMap((union) => union.columns.get(term) ?? []),
      ...equal.filter(({ to }) => to === term).map(({ from }) => [from]),
      ...keysOf(scanned.get(alias) ?? "", column).map((key) =>
        key.map((each) => `${alias}.${each}`),
      ),
      ...nodes.filter((node) => node.Alias === alias).map((node) => derived(node, term)),
    ];
  }

  /** Of a column that no table has. */
  function derived(node: Plan, term: string): string[] {
    const [child] = childrenOf(node);
    if (node["Node Type"] === "Function Scan") return [`${node["Function Call"]}`];
    if (node["Node Type"] === "CTE Scan")
      return outputsNamed(subplan(`CTE ${node["CTE Name"]}`), term, node);
    return node["Node Type"] === "Subquery Scan" ? outputsNamed(child, term, node) : [];
  }

  /** What a plan returns for a column of a scan of it: by its name, or its position where it was renamed. */
  function outputsNamed(of: Plan | undefined, term: string, scan: Plan): string[] {
    const names = of?.Output?.map((each) => each.split(".").at(-1)) ?? [];
    const named = names.indexOf(term.split(".").at(-1));
    return outputsOf(of, named >= 0 ? named : (scan.Output?.indexOf(term) ?? -1));
  }

  function outputsOf(of: Plan | undefined, position: number): string[] {
    const expression = of?.Output?.[position];
    return of && expression ? [inUnion(of, expression, unions)] : [];
  }

  const subplan = (name: string) => nodes.find((node) => node["Subplan Name"] === name);

  return function isBound(expression: string, asked: string[] = []): boolean {
    const term = bare(expression);
    if (isConstant(term)) return true;
    if (asked.includes(term)) return false;
    const within = [...asked, term];
    return sources(term).some(
      (all) => all.length > 0 && all.every((each) => isBound(each, within)),
    );
  };
}

/**
 * The plan calls a column of a union as its first branch does. Outside of that branch it has another name here,
 * and stands for the expressions of all branches.
 */
type Union = { first: Set<Plan>; names: Map<string, string>; columns: Map<string, string[][]> };

function unionsIn(nodes: Plan[]): Union[] {
  return nodes.filter(isUnion).map((node, number) => {
    const branches = childrenOf(node).filter((child) => !isSubplan(child));
    const union: Union = { first: new Set(), names: new Map(), columns: new Map() };
    const [first] = branches;
    if (first) union.first = new Set(allNodes(first));
    for (const [position, expression] of (first?.Output ?? []).entries()) {
      const name = `"Union ${number}".col${position}`;
      union.names.set(bare(expression), name);
      union.columns.set(name, [branches.map(({ Output }) => Output?.[position] ?? name)]);
    }
    return union;
  });
}

/** Of nested unions the outermost counts, which comes first. */
function inUnion(node: Plan, expression: string, unions: Union[]): string {
  const term = bare(expression);
  const union = unions.find(({ first, names }) => !first.has(node) && names.has(term));
  return union?.names.get(term) ?? term;
}

/**
 * The equalities that hold for the rows of `targets`, the aliases of the scans that the node's conditions
 * restrict. A join that keeps the rows of one side restricts the other side alone.
 */
function equalities(node: Plan, targets: Set<string>, unions: Union[]): Equality[] {
  const children = childrenOf(node);
  const optional = children.filter((child) => isOptional(node, child));
  const within = (child: Plan) => intersection(targets, aliasesIn(child));
  const [joined = targets, ...both] = optional.map(within);
  const ofScan = /^(Filter|Index Cond|Recheck Cond|TID Cond)$/;
  const ofJoin = /^(Hash Cond|Merge Cond|Join Filter)$/;
  return [
    ...conditions(node, ofScan, targets, unions),
    ...(both.length > 0 ? [] : conditions(node, ofJoin, joined, unions)),
    ...children.flatMap((child) => {
      const narrow = optional.includes(child) || isApart(node, child);
      return equalities(child, narrow ? within(child) : targets, unions);
    }),
  ];
}

/** Whether a join keeps the rows of the other side that find none in this child. */
function isOptional(node: Plan, { "Parent Relationship": side }: Plan): boolean {
  const join = node["Join Type"] ?? "";
  if (side === "Outer") return /^(Right|Right Anti|Full)$/.test(join);
  return side === "Inner" && /^(Left|Anti|Full)$/.test(join);
}

/** Whether the node has rows also where this child has none, or has those of other children. */
function isApart(node: Plan, child: Plan): boolean {
  const isTotal = node["Node Type"] === "Aggregate" && node.Strategy === "Plain";
  return isUnion(node) || isTotal || isSubplan(child);
}

const isUnion = (node: Plan) =>
  /^(Append|Merge Append|SetOp|Recursive Union)$/.test(node["Node Type"]);

const isSubplan = (node: Plan) => /^(Init|Sub)Plan$/.test(node["Parent Relationship"] ?? "");

function conditions(node: Plan, kinds: RegExp, targets: Set<string>, unions: Union[]): Equality[] {
  // Its conditions stand again in the heap scan above it, there with what is an alternative.
  if (node["Node Type"] === "Bitmap Index Scan") return [];
  const all = Object.entries(node).flatMap(([kind, text]) =>
    kinds.test(kind) && typeof text === "string" ? conjuncts(text) : [],
  );
  return all.flatMap((condition) => {
    const [left, right, ...more] = split(condition, " = ").map((side) =>
      inUnion(node, side, unions),
    );
    if (!left || !right || more.length > 0) return [];
    return [...restricted(left, right), ...restricted(right, left)];
  });

  function restricted(to: string, from: string): Equality[] {
    const columns = unions.flatMap((union) => union.columns.get(to) ?? []).flat();
    return [to, ...columns]
      .filter((each) => isColumn(each) && targets.has(`${each.split(".")[0]}`) && !isList(from))
      .map((each) => ({ to: each, from }));
  }
}

/** Of `x = (hashed SubPlan 1).col1` also under an OR or a NOT: no other row of the subplan is looked up. */
function hashedComparisons(nodes: Plan[]): Equality[] {
  const comparison = /([\w".]+) = \(hashed (SubPlan \d+)\)\.col(\d+)/g;
  return nodes.flatMap((node) =>
    [...JSON.stringify({ ...node, Plans: [] }).matchAll(comparison)].flatMap(
      ([, from = "", name, column]) => {
        const plan = nodes.find((each) => each["Subplan Name"] === name);
        const to = plan?.Output?.[Number(column) - 1] ?? "";
        return isColumn(to) ? [{ to, from }] : [];
      },
    ),
  );
}

const childrenOf = (node: Plan): Plan[] => node.Plans ?? [];

function aliasesIn(node: Plan): Set<string> {
  return new Set(allNodes(node).flatMap(({ Alias }) => (Alias ? [Alias] : [])));
}

const intersection = (a: Set<string>, b: Set<string>) => new Set([...a].filter((x) => b.has(x)));

const isColumn = (term: string) => /^(\w+|"[^"]+")\.(\w+|"[^"]+")$/.test(term);

const isList = (term: string) => /^(ANY|ALL) \(/.test(term);

/** Without a column of a table or a subplan. */
function isConstant(term: string): boolean {
  return !/[\w"]\.[\w"]|Plan \d/.test(term.replaceAll(/'(?:[^']|'')*'/g, "''"));
}

function conjuncts(condition: string): string[] {
  const parts = split(bare(condition), " AND ");
  return parts.length > 1 ? parts.flatMap(conjuncts) : parts;
}

/** Without parentheses and casts around it. */
function bare(expression: string): string {
  const text = expression.trim();
  const [, inner, rest] = /^\((.*)\)((?:::[\w .()[\]"]+)?)$/s.exec(text) ?? [];
  if (inner !== undefined && isBalanced(inner) && rest !== undefined) return bare(inner);
  return text;
}

/** Splits where the separator stands outside of parentheses and strings. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let [depth, quoted, from] = [0, false, 0];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "'") quoted = !quoted;
    if (quoted) continue;
    if (text[at] === "(") depth++;
    if (text[at] === ")") depth--;
    if (depth === 0 && text.startsWith(separator, at)) {
      parts.push(text.slice(from, at));
      from = at + separator.length;
    }
  }
  return [...parts, text.slice(from)];
}

/** Whether each parenthesis closes one that opened before it. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text.replaceAll(/'(?:[^']|'')*'/g, "")) {
    if (character === "(") depth++;
    if (character === ")" && --depth < 0) return false;
  }
  return depth === 0;
}
