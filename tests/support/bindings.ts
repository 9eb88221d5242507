/*
 * Answers one question about a plan of `explain (verbose, format json)`: is a column bound, that
 * is, does every row that counts have a value given by a parameter or a constant? A column is bound
 * by an equality in a scan or a join, directly or through other columns. Written for the plans of
 * PostgreSQL 17 and newer.
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

/** A scan of a table. All conditions of the plan refer to its rows by `alias`. */
export type Scan = { table: string; alias: string };

/** In every row, the column `to` equals the expression `from`. */
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
 * Returns a function that reports whether an expression of the plan is bound. `keysOf` returns
 * the sets of columns that determine `column` of a table: if all columns of a set are bound,
 * so is `column`.
 */
export function bindings(
  plan: Plan,
  keysOf: (table: string, column: string) => string[][],
): (expression: string) => boolean {
  const nodes = allNodes(plan);
  const unions = unionsIn(nodes);
  const equal = [...equalities(plan, aliasesIn(plan), unions), ...hashedComparisons(nodes)];
  const scanned = new Map(scansOf(plan).map(({ alias, table }) => [alias, table]));

  /**
   * Returns the lists of expressions that determine a term. If all expressions of one list are
   * bound, so is the term.
   */
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

  /** Returns the expressions that determine a column of a function, CTE or subquery scan. */
  function derived(node: Plan, term: string): string[] {
    const [child] = childrenOf(node);
    if (node["Node Type"] === "Function Scan") return [`${node["Function Call"]}`];
    if (node["Node Type"] === "CTE Scan")
      return outputsNamed(subplan(`CTE ${node["CTE Name"]}`), term, node);
    return node["Node Type"] === "Subquery Scan" ? outputsNamed(child, term, node) : [];
  }

  /** Returns a plan's expression for a column of a scan of it, by name or, if renamed, position. */
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
 * A union. The plan names a union's columns after its first branch. Here, a column has another name
 * outside of that branch, and is determined by the expressions of all branches.
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

/** Returns the union's column that the expression means: the outermost union comes first. */
function inUnion(node: Plan, expression: string, unions: Union[]): string {
  const term = bare(expression);
  const union = unions.find(({ first, names }) => !first.has(node) && names.has(term));
  return union?.names.get(term) ?? term;
}

/**
 * Returns the equalities that hold for the rows of `targets`, the aliases of the scans
 * that the node's conditions restrict. The condition of an outer or anti join restricts
 * only its optional side.
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

/** Whether a join returns the other side's rows even without a match in this child. */
function isOptional(node: Plan, { "Parent Relationship": side }: Plan): boolean {
  const join = node["Join Type"] ?? "";
  if (side === "Outer") return /^(Right|Right Anti|Full)$/.test(join);
  return side === "Inner" && /^(Left|Anti|Full)$/.test(join);
}

/** Whether the node returns rows even if this child returns none, or rows of other children. */
function isApart(node: Plan, child: Plan): boolean {
  const isTotal = node["Node Type"] === "Aggregate" && node.Strategy === "Plain";
  return isUnion(node) || isTotal || isSubplan(child);
}

const isUnion = (node: Plan) =>
  /^(Append|Merge Append|SetOp|Recursive Union)$/.test(node["Node Type"]);

const isSubplan = (node: Plan) => /^(Init|Sub)Plan$/.test(node["Parent Relationship"] ?? "");

function conditions(node: Plan, kinds: RegExp, targets: Set<string>, unions: Union[]): Equality[] {
  // The heap scan above repeats these conditions, including any OR alternatives.
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

/**
 * Returns the equalities of `x = (hashed SubPlan 1).col1`, also under an OR or a NOT: the hash
 * lookup reads no other row of the subplan.
 */
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

/** Whether a term refers to no column of a table or subplan. */
function isConstant(term: string): boolean {
  return !/[\w"]\.[\w"]|Plan \d/.test(term.replaceAll(/'(?:[^']|'')*'/g, "''"));
}

function conjuncts(condition: string): string[] {
  const parts = split(bare(condition), " AND ");
  return parts.length > 1 ? parts.flatMap(conjuncts) : parts;
}

/** Removes surrounding parentheses and casts. */
function bare(expression: string): string {
  const text = expression.trim();
  const [, inner, rest] = /^\((.*)\)((?:::[\w .()[\]"]+)?)$/s.exec(text) ?? [];
  if (inner !== undefined && isBalanced(inner) && rest !== undefined) return bare(inner);
  return text;
}

/** Splits a text at each separator outside of parentheses and strings. */
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

/** Whether every parenthesis is matched, outside of strings. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const character of text.replaceAll(/'(?:[^']|'')*'/g, "")) {
    if (character === "(") depth++;
    if (character === ")" && --depth < 0) return false;
  }
  return depth === 0;
}
