/**
 * What another system does with the API, by the types that openapi-typescript makes of its schema.
 *
 *     node story.ts http://127.0.0.1:8000/api/v1 trg_… 2
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { ListedRun, RunPage, paths, Problem, Report, Run, Trigger } from "./dj-triggers.ts";

const [url, key, user] = process.argv.slice(2) as [string, string, string];

const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

/** The answer of a request that was not refused. */
function told<T>({ data, error }: { data?: T; error?: Problem }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

/** What triggers can be made of here, and what JSON Schema each takes. */
async function discover(): Promise<void> {
  const { results } = told(await client.GET("/component-types/"));
  for (const [type, kind] of [
    ["demo.OrderPlacedEvent", "event"],
    ["triggers.ActionCountCondition", "condition"],
    ["demo.SendEmailAction", "action"],
  ]) {
    const found = results.find((result) => result.type === type);
    assert(found);
    assert.equal(found.kind, kind);
    assert.partialDeepStrictEqual(found.schema, { properties: { type: { const: type } } });
    assert.equal(found.example["type"], type);
  }
}

/** A trigger with components of each kind, as the server has it. */
async function create(): Promise<Trigger> {
  const trigger = told(
    await client.POST("/triggers/", {
      body: {
        type: "triggers.Trigger",
        name: "Thank once for a large order",
        events: [{ type: "demo.OrderPlacedEvent", minimum_amount: "20.00" }],
        conditions: [{ type: "demo.HasEmailAddressCondition" }, { type: "triggers.ActionCountCondition", limit: 1 }],
        actions: [
          {
            type: "demo.SendEmailAction",
            subject: "Thank you, {{ user.first_name }}",
            message: "It is on its way.",
          },
        ],
      },
    }),
  );
  for (const condition of trigger.conditions) {
    if (condition.type === "triggers.ActionCountCondition") assert.equal(condition.limit, 1);
  }
  assert.equal(trigger.is_enabled, false);
  return told(await client.POST("/triggers/{id}/enable/", { params: { path: { id: trigger.id } } }));
}

/** The event has happened to the user, once, however often this is called with the key. */
function placeOrder(key: string) {
  return client.POST("/fire/", {
    params: { header: { "Idempotency-Key": key } },
    body: { type: "demo.OrderPlacedEvent", user, context: { order: "1001", amount: 40 } },
  });
}

/** The run once it has ended. */
async function ended(id: string): Promise<Run> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(100)) {
    const run = told(await client.GET("/runs/{id}/", { params: { path: { id } } }));
    if (run.ended_at !== null) return run;
  }
  throw new Error(`The run ${id} has not ended.`);
}

/** Why the trigger would not act on the user again. */
async function whatLimits(trigger: Trigger): Promise<Report> {
  const { explanations } = told(
    await client.POST("/explain/", {
      body: { type: "demo.OrderPlacedEvent", user, context: { order: "1002", amount: 40 } },
    }),
  );
  const explanation = explanations.find((found) => found.trigger === trigger.id);
  assert(explanation);
  assert.equal(explanation.would_run, false);
  assert.equal(explanation.code, "limit_reached");
  const report = explanation.conditions.find((found) => !found.satisfied);
  assert(report);
  return report;
}

/** The trigger has a description; a second change is refused unless it knows the first. The new ETag. */
async function update(trigger: Trigger): Promise<string> {
  const path = { id: trigger.id };
  const etag = ({ response }: { response: Response }): string => response.headers.get("ETag")!;

  const first = etag(await client.GET("/triggers/{id}/", { params: { path } }));
  const changed = await client.PATCH("/triggers/{id}/", {
    params: { path, header: { "If-Match": first } },
    body: { description: "For orders of 20 or more." },
  });
  assert.equal(told(changed).description, "For orders of 20 or more.");

  const stale = await client.PATCH("/triggers/{id}/", {
    params: { path, header: { "If-Match": first } },
    body: { name: "Thank once" },
  });
  assert.equal(stale.response.status, 412);
  assert(stale.error);
  assert.equal(stale.error.code, "precondition_failed");

  const renamed = await client.PATCH("/triggers/{id}/", {
    params: { path, header: { "If-Match": etag(changed) } },
    body: { name: "Thank once" },
  });
  assert.equal(told(renamed).name, "Thank once");
  return etag(renamed);
}

/** The runs of the user that succeeded, one page after the other. */
async function allRuns(): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  let cursor: string | undefined;
  do {
    const page: RunPage = told(
      await client.GET("/runs/", { params: { query: { user, status: "succeeded", limit: 1, cursor } } }),
    );
    runs.push(...page.results);
    cursor = page.next === null ? undefined : new URL(page.next, url).searchParams.get("cursor")!;
  } while (cursor !== undefined);
  return runs;
}

await discover();
const trigger = await create();
assert(trigger.is_enabled);

const order = randomUUID();
const answer = await placeOrder(order);
const occurrence = told(answer);
assert.equal(answer.response.status, 202);
assert(answer.response.headers.get("Location")?.endsWith(`/occurrences/${occurrence.id}/`));
assert.equal(answer.response.headers.get("Idempotent-Replayed"), null);
assert(occurrence.matched.some((matched) => matched.trigger === trigger.id));
const started = occurrence.runs.find((found) => found.trigger === trigger.id);
assert(started);

const run = await ended(started.id);
assert.equal(run.status, "succeeded");
assert.equal(run.steps.length, 1);
const [step] = run.steps;
assert(step);
assert.equal(step.position, 0);
assert.equal(step.type, "demo.SendEmailAction");
assert.equal(step.status, "succeeded");
assert.equal(step.attempts, 1);
assert(step.ended_at !== null);
assert(new Date(step.ended_at) >= new Date(step.started_at));

const report = await whatLimits(trigger);
assert.equal(report.type, "triggers.ActionCountCondition");
assert.equal(report.required, "at most 1 time for each person");
assert.equal(report.observed, "1 time so far");

const etag = await update(trigger);

const again = await placeOrder(order);
assert.equal(again.response.headers.get("Idempotent-Replayed"), "true");
assert.equal(told(again).id, occurrence.id);

// The demo's own trigger acts on this event too.
const ids = occurrence.runs.map((found) => found.id);
await Promise.all(ids.map(ended));
assert.deepEqual(new Set((await allRuns()).map((found) => found.id)), new Set(ids));

const path = { id: trigger.id };
const gone = await client.DELETE("/triggers/{id}/", { params: { path, header: { "If-Match": etag } } });
assert.equal(gone.response.status, 204);
const { error } = await client.GET("/triggers/{id}/", { params: { path } });
assert.equal(error?.status, 404);
assert.equal(error.code, "not_found");
