import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { EvidenceStore } from "../../src/data/evidence.js";
import { Calls } from "../../src/host/calls.js";
import { FakeModel } from "../load.mjs";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

/** @param {FakeModel} model */
function calls(model) {
  /** @type {any[]} */
  const replies = [];
  /** @type {string[]} */
  const notices = [];
  const made = new Calls(
    model,
    (reply) => replies.push(reply.value),
    () => notices.push(made.notice),
  );
  return { made, replies, notices };
}

test("what is not answered is asked again under a new number, ever more rarely", () => {
  const model = new FakeModel({});
  const { made, replies, notices } = calls(model);
  assert.ok(made.ask({ wanted: 7 }));
  mock.timers.tick(9_999);
  assert.equal(model.sent.length, 1);
  assert.match(notices.at(-1) ?? "", /waiting/);
  mock.timers.tick(1);
  assert.equal(model.sent.length, 2);
  assert.deepEqual(
    model.sent.map(({ wanted }) => wanted),
    [7, 7],
  );
  assert.notEqual(model.sent[0].id, model.sent[1].id);
  assert.match(notices.at(-1) ?? "", /does not answer/);
  mock.timers.tick(20_000);
  assert.equal(model.sent.length, 3);
  mock.timers.tick(39_999);
  assert.equal(model.sent.length, 3);
  assert.equal(made.ask({ wanted: 8 }), false);

  model.emit("msg:custom", { id: model.sent[2].id, value: "found" }, []);
  assert.deepEqual([replies, made.notice], [["found"], ""]);
  assert.ok(made.ask({ wanted: 8 }));
  mock.timers.tick(9_999);
  assert.equal(model.sent.length, 4);
});

test("the answer to an earlier asking will do, and the second one says nothing more", () => {
  const model = new FakeModel({});
  const { made, replies } = calls(model);
  made.ask({ wanted: 7 });
  mock.timers.tick(10_000);
  const [first, second] = model.sent;
  model.emit("msg:custom", { id: first.id, value: 1 }, []);
  model.emit("msg:custom", { id: second.id, value: 2 }, []);
  assert.deepEqual(replies, [1]);
  mock.timers.tick(100_000);
  assert.equal(model.sent.length, 2);
});

test("who is gone asks no more", () => {
  const model = new FakeModel({});
  const { made } = calls(model);
  made.ask({ wanted: 7 });
  made.dispose();
  mock.timers.tick(100_000);
  assert.equal(model.sent.length, 1);
  assert.equal(model.listeners("msg:custom"), 0);
});

test("a second cell is held at 0 after the first, whose answer was not here yet", () => {
  const model = new FakeModel({});
  /** @type {EvidenceStore} */
  const store = new EvidenceStore(model, () => store.flush());
  store.ablate(4);
  store.ablate(9);
  assert.deepEqual(
    model.sent.map(({ ablate }) => ablate),
    [4],
  );
  assert.match(store.told(4), /running/);
  assert.match(store.told(9), /running/);
  const evidence = { passages: [], histogram: null, null: null, ablation: { change: 0.5 } };
  model.emit("msg:custom", { id: model.sent[0].id, evidence: 4, ...evidence }, []);
  assert.deepEqual(
    model.sent.map(({ ablate }) => ablate),
    [4, 9],
  );
  assert.equal(store.told(4), "");
  model.emit("msg:custom", { id: model.sent[1].id, evidence: 9, ...evidence }, []);
  assert.equal(store.known(9)?.ablation?.change, 0.5);
  assert.equal(store.told(9), "");
});
