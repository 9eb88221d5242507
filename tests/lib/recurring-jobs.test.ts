import { parseCrontab } from "graphile-worker";
import { describe, expect, it } from "vitest";
import { recurringJobs } from "@/lib/recurring-jobs";
import { days, minutes } from "@/lib/time";

describe.each(recurringJobs)("$name", ({ name, cron, interval }) => {
  it("has a unique name", () => {
    expect(recurringJobs.filter((other) => other.name === name)).toHaveLength(1);
    expect(name).not.toBe("mail");
  });

  it("runs as often by its cron line as by its interval", () => {
    const [item] = parseCrontab(`${cron} ${name}`);
    const start = Date.UTC(2026, 2, 2); // a Monday
    const runs = Array.from({ length: days(1) / minutes(1) }, (_, n) => {
      const at = new Date(start + minutes(n));
      return item?.match({
        ...{ min: at.getUTCMinutes(), hour: at.getUTCHours(), date: at.getUTCDate() },
        ...{ month: at.getUTCMonth() + 1, dow: at.getUTCDay() },
      });
    }).filter(Boolean);
    expect(runs).toHaveLength(days(1) / interval);
  });
});
