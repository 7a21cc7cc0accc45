// What the SQL functions have to do, said again in memory: contract/states.md sections 2-5, 7, 8, 10 and DATABASE.md
// sections 3 and 5. Two workers, fused or split as they like, orchestrators, one queue, one callable; time is a number of milliseconds that the test moves.

import {
  type Answer,
  addStep,
  BACKOFF_CAP_MS,
  claimText,
  FINAL_TASK,
  findStep,
  hasFailed,
  isReady,
  isResting,
  LEASE_MS,
  MAX_DEATHS,
  type ManualEvent,
  type ModelMessage,
  type ModelPlan,
  type ModelReport,
  type ModelStep,
  type ModelTask,
  nameOf,
  nextState,
  order,
  type ResultMessage,
  SATISFIED,
  type StepSpec,
  SUBMITTED,
  type TemplateSpec,
  unsatisfiedParents,
  type WorkerNumber,
} from "./rules.js";

type Sent = { readonly claims: string[]; readonly queued: number };

export class Model {
  now = 0;
  readonly tasks: ModelTask[] = [];
  /** By the step that each delivery, numbered from 0, handed out. */
  readonly deliveries: ModelStep[] = [];
  messages: ModelMessage[] = [];
  results: ResultMessage[] = [];
  readonly template: TemplateSpec;
  #nextMessage = 0;

  constructor(template: TemplateSpec) {
    this.template = template;
  }

  get steps(): ModelStep[] {
    return this.tasks.flatMap((task) => task.steps);
  }

  isCurrent(delivery: number): boolean {
    return this.deliveries[delivery]?.delivery === delivery;
  }

  // Commands ------------------------------------------------------------------------------------------------------

  create(count: number, free: number, worker: WorkerNumber): Answer {
    const first = this.tasks.length;
    for (let i = 0; i < count; i += 1) this.#addTask();
    const created = this.tasks.slice(first);
    const roots = created.flatMap((task) => task.steps.filter(isReady));
    return this.#send(roots, free, worker);
  }

  tick(
    reports: readonly ModelReport[],
    free: number,
    wakesTimers: boolean,
    worker: WorkerNumber,
  ): Answer {
    const due = this.#due(wakesTimers);
    const { accepted, verdicts } = this.#accept(reports);
    return { ...this.#settleAll(accepted, due, free, worker), verdicts };
  }

  /** Split mode: results are accepted here, and settled by whoever takes their messages. */
  submit(reports: readonly ModelReport[]): Answer {
    const { accepted, verdicts } = this.#accept(reports);
    for (const report of accepted.toSorted((a, b) => this.#byStep(a, b))) {
      const step = this.#step(report.delivery);
      step.result = report;
      step.state = SUBMITTED[report.verdict === 0 ? 0 : 1] as string;
      this.insertResult(step);
    }
    return { claims: [], queued: 0, verdicts };
  }

  process(limit: number, wakesTimers: boolean): Answer {
    const due = this.#due(wakesTimers);
    const taken = this.results.slice(0, limit);
    this.results = this.results.slice(limit);
    const reports = [...new Set(taken.map(({ step }) => step))].flatMap(({ state, result }) =>
      result !== null && SUBMITTED.includes(state) ? [result] : [],
    );
    return { ...this.#settleAll(reports, due, 0, 0), scanned: taken.length };
  }

  /** Progress is stored, and the step leased anew to whoever stored it. */
  checkpoint(deliveries: readonly number[], worker: WorkerNumber): Answer {
    const verdicts = deliveries.map(
      (delivery) =>
        `${nameOf(this.#step(delivery))} ${this.#isHeld(delivery) ? "committed" : "stale"}`,
    );
    const claims = deliveries
      .filter((delivery) => this.#isHeld(delivery))
      .map((delivery) => this.#step(delivery))
      .sort(order)
      .map((step) => {
        step.delivery = this.deliveries.push(step) - 1;
        step.worker = worker;
        this.#setLease(step, this.now + LEASE_MS);
        return claimText(nameOf(step), "claim", step.attempts, step.deaths, step.solo);
      });
    return { claims, queued: 0, verdicts: verdicts.sort() };
  }

  claim(free: number, limit: number, worker: WorkerNumber): Answer {
    const visible =
      free > 0 ? this.messages.filter((message) => message.vt <= this.now).slice(0, limit) : [];
    // Of several messages for one step the newest counts.
    const newest = new Map(visible.map((message) => [message.step, message]));
    for (const message of visible)
      if (newest.get(message.step) !== message) this.#withdraw(message.id);

    const isLost = (step: ModelStep): boolean =>
      step.state === "in_progress" && (step.leasedUntil ?? Number.POSITIVE_INFINITY) <= this.now;
    // The oldest messages first.
    const taken = [...newest]
      .filter(([step]) => step.state === "enqueued" || isLost(step))
      .sort(([, a], [, b]) => a.id - b.id)
      .slice(0, free)
      .map(([step]) => step);
    const claims: string[] = [];
    for (const [step, message] of [...newest].sort(([a], [b]) => order(a, b))) {
      if (step.state === "enqueued" || isLost(step)) {
        if (!taken.includes(step)) continue;
        if (step.state === "in_progress" && step.hasHolder) {
          step.deaths += 1;
          step.solo = true;
        } else {
          step.attempts += 1;
        }
        message.vt = this.now + LEASE_MS;
        claims.push(this.#lease(step, message, worker));
      } else if (step.state === "in_progress") {
        message.vt = step.leasedUntil ?? message.vt;
      } else {
        this.#withdraw(message.id);
      }
    }
    return { claims, queued: 0, scanned: visible.length };
  }

  release(deliveries: readonly number[], isDeath: boolean, isSuspect: boolean): Answer {
    const held = deliveries.filter((delivery) => this.#isHeld(delivery));
    for (const delivery of held) this.#giveBack(this.#step(delivery), isDeath, isSuspect);
    return { released: held.length };
  }

  renew(deliveries: readonly number[]): Answer {
    const lost: string[] = [];
    for (const delivery of deliveries) {
      const step = this.#step(delivery);
      if (this.#isHeld(delivery)) this.#setLease(step, this.now + LEASE_MS);
      else lost.push(nameOf(step));
    }
    return { lost: lost.sort() };
  }

  /** Finds what it gives back through messages that are not visible: a step without one waits for its lease to end. */
  reconcile(held: readonly number[], worker: WorkerNumber): Answer {
    const missing = this.steps.filter(
      (step) =>
        step.state === "in_progress" &&
        step.hasHolder &&
        step.worker === worker &&
        !held.some((delivery) => step.delivery === delivery) &&
        this.messages.some((message) => message.step === step && message.vt > this.now),
    );
    for (const step of missing) this.#giveBack(step, false, false);
    return { released: missing.length };
  }

  /** Steps that nobody holds and whose message is gone get a new one. */
  repair(): Answer {
    const nobodys = this.steps.filter(
      (step) =>
        step.state === "enqueued" ||
        (step.state === "in_progress" && (step.leasedUntil ?? 0) <= this.now),
    );
    const bare = nobodys.filter(
      (step) => !this.messages.some((message) => message.id === step.message),
    );
    for (const step of bare) step.message = this.#addMessage(step, this.now).id;
    const unheard = this.steps.filter(
      (step) =>
        SUBMITTED.includes(step.state) && !this.results.some((message) => message.step === step),
    );
    for (const step of unheard) this.insertResult(step);
    return { repaired: bare.length, results: unheard.length };
  }

  close(index: number, to: "cancelled" | "resolved_manually"): Answer {
    const task = this.tasks[index] as ModelTask;
    const fromState = task.state;
    if (FINAL_TASK.includes(fromState)) return { closed: false, fromState, running: [] };
    const ended = task.steps.filter(
      (step) =>
        ![...SATISFIED, "cancelled"].includes(step.state) &&
        // A task that is resolved keeps its failed steps.
        (to === "cancelled" || step.state !== "error"),
    );
    const running = ended.filter((step) => step.state === "in_progress" && step.hasHolder);
    for (const step of ended) this.#end(step, "cancelled", false);
    task.state = to;
    return { closed: true, fromState, running: running.map(nameOf) };
  }

  act(step: ModelStep, event: ManualEvent): Answer {
    const { task, state: from } = step;
    const fromTask = task.state;
    if (event === "ResetForRetry") {
      if (from !== "error") return { outcome: "step_refuses", from, taskState: fromTask };
      if (FINAL_TASK.includes(fromTask))
        return { outcome: "task_is_final", from, taskState: fromTask };
    }
    const to = {
      ResetForRetry: "pending",
      ResolveManually: "resolved_manually",
      CompleteManually: "complete",
    }[event];
    this.#end(step, to, event === "CompleteManually");
    if (to === "pending") {
      step.attempts = 0;
      step.deaths = 0;
      step.solo = false;
    }
    this.#refresh();
    let queued = 0;
    if (!FINAL_TASK.includes(fromTask) && !hasFailed(task)) {
      const keptBack = [
        ...task.steps.filter(isReady),
        // A step with a timer is the timer's business.
        ...task.steps.filter(
          (other) => other.state === "waiting_for_retry" && other.dueAt === null,
        ),
      ];
      queued = this.#send(keptBack, 0, 0).queued;
      if (task.state === "blocked_by_failures") task.state = "evaluating_results";
      task.state = nextState(task, queued > 0);
    }
    return { outcome: "done", from, to, fromTask, taskState: task.state, queued };
  }

  // Faults of the queue -------------------------------------------------------------------------------------------

  loseMessage(position: number): void {
    this.messages.splice(position, 1);
  }

  /** A message that names the step, visible at once: a duplicate, or one out of nowhere. */
  insertMessage(step: ModelStep): void {
    this.#addMessage(step, this.now);
  }

  /** The step's result wants to be settled: said once more, or out of nowhere. */
  insertResult(step: ModelStep): void {
    this.results.push({ id: this.#nextMessage, step });
    this.#nextMessage += 1;
  }

  // Parts ---------------------------------------------------------------------------------------------------------

  #addTask(): void {
    const task: ModelTask = {
      index: this.tasks.length,
      state: "steps_in_process",
      steps: [],
      edges: [],
      nextOrdinal: this.template.length,
    };
    for (const [ordinal, spec] of this.template.entries())
      if (spec.isInitial) addStep(task, ordinal, spec, false);
    this.tasks.push(task);
    this.#refresh();
  }

  #expand(task: ModelTask, plan: ModelPlan): void {
    for (const ordinal of plan.steps)
      if (findStep(task, ordinal) === undefined)
        addStep(task, ordinal, this.template[ordinal] as StepSpec, false);
    const firstWorker = task.nextOrdinal;
    for (const { ordinal, tolerated } of plan.workers) {
      addStep(task, task.nextOrdinal, this.template[ordinal] as StepSpec, tolerated);
      task.nextOrdinal += 1;
    }
    const ordinalOf = (end: number): number => (end < 0 ? firstWorker - 1 - end : end);
    for (const edge of plan.edges) {
      const [from, to] = [ordinalOf(edge.from), ordinalOf(edge.to)];
      if (!task.edges.some((other) => other[0] === from && other[1] === to))
        task.edges.push([from, to]);
    }
    this.#refresh();
  }

  #due(wakesTimers: boolean): ModelStep[] {
    return wakesTimers
      ? this.steps.filter((step) => step.dueAt !== null && step.dueAt <= this.now)
      : [];
  }

  /** Takes accepted steps away from their workers. */
  #accept(reports: readonly ModelReport[]): { accepted: ModelReport[]; verdicts: string[] } {
    const accepted = reports.filter((report) => this.#isHeld(report.delivery));
    const verdicts = reports.map(({ delivery }) => {
      const status = this.isCurrent(delivery) ? "committed" : "stale";
      return `${nameOf(this.#step(delivery))} ${status}`;
    });
    for (const { delivery } of accepted) {
      const step = this.#step(delivery);
      if (step.message !== null) this.#withdraw(step.message);
      step.message = null;
      step.leasedUntil = null;
    }
    return { accepted, verdicts: verdicts.sort() };
  }

  #settleAll(
    reports: readonly ModelReport[],
    due: readonly ModelStep[],
    free: number,
    worker: WorkerNumber,
  ): Sent & { rested: string[] } {
    const accepted = reports.map((report) => this.#settle(this.#step(report.delivery), report));
    for (const report of reports.toSorted((a, b) => this.#byStep(a, b))) {
      const step = this.#step(report.delivery);
      if (report.plan !== null && step.state === "complete") this.#expand(step.task, report.plan);
    }
    for (const step of due) step.dueAt = null;

    const touched = this.tasks.filter((task) =>
      [...accepted, ...due].some((step) => step.task === task),
    );
    const open = touched.filter((task) => !isResting(task) && !hasFailed(task));
    const ready = open.flatMap((task) => task.steps.filter(isReady));
    const woken = due.filter((step) => open.includes(step.task));
    const sent = this.#send([...ready, ...woken], free, worker);
    const rested: string[] = [];
    for (const task of touched) {
      const from = task.state;
      task.state = nextState(
        task,
        [...ready, ...woken].some((step) => step.task === task),
      );
      if (task.state !== from && ["complete", "blocked_by_failures"].includes(task.state))
        rested.push(`${task.index} ${task.state}`);
    }
    return { ...sent, rested };
  }

  #byStep(a: ModelReport, b: ModelReport): number {
    return order(this.#step(a.delivery), this.#step(b.delivery));
  }

  /** Up to `free` steps are handed out, the others become visible in the queue. */
  #send(steps: readonly ModelStep[], free: number, worker: WorkerNumber): Sent {
    // Only a claim knows when to give a step up that costs processes their lives.
    const handed = steps.filter((step) => step.deaths === 0).slice(0, free);
    const queued = steps.filter((step) => !handed.includes(step));
    const messages = new Map(
      handed.map((step) => [step, this.#addMessage(step, this.now + LEASE_MS)]),
    );
    const claims = [...messages]
      .sort(([a], [b]) => order(a, b))
      .map(([step, message]) => {
        step.attempts += 1;
        return this.#lease(step, message, worker);
      });
    for (const step of queued) {
      step.state = "enqueued";
      step.message = this.#addMessage(step, this.now).id;
    }
    return { claims, queued: queued.length };
  }

  #lease(step: ModelStep, message: ModelMessage, worker: WorkerNumber): string {
    step.worker = worker;
    step.state = "in_progress";
    step.delivery = this.deliveries.push(step) - 1;
    step.hasHolder = true;
    step.leasedUntil = this.now + LEASE_MS;
    step.message = message.id;
    const verdict = step.deaths >= MAX_DEATHS ? "poisoned" : "claim";
    return claimText(nameOf(step), verdict, step.attempts, step.deaths, step.solo);
  }

  #settle(step: ModelStep, { verdict, hintMs }: ModelReport): ModelStep {
    const { spec, attempts } = step;
    if (verdict === 0) {
      step.state = "complete";
    } else if (verdict === 1 && spec.retryable && attempts < spec.maxAttempts) {
      step.state = "waiting_for_retry";
      step.dueAt = this.now + Math.min(hintMs ?? spec.backoffMs * attempts, BACKOFF_CAP_MS);
    } else {
      step.state = "error";
    }
    this.#refresh();
    return step;
  }

  /** Takes a step away from whoever has it. */
  #end(step: ModelStep, state: string, isFenced: boolean): void {
    if (isFenced || step.state === "in_progress") step.delivery = null;
    if (step.message !== null) this.#withdraw(step.message);
    step.state = state;
    step.message = null;
    step.leasedUntil = null;
    step.dueAt = null;
  }

  #giveBack(step: ModelStep, isDeath: boolean, isSuspect: boolean): void {
    step.delivery = null;
    step.attempts -= 1;
    step.hasHolder = false;
    if (isDeath) step.deaths += 1;
    step.solo ||= isSuspect;
    this.#setLease(step, this.now);
  }

  #setLease(step: ModelStep, until: number): void {
    step.leasedUntil = until;
    for (const message of this.messages) if (message.id === step.message) message.vt = until;
  }

  #addMessage(step: ModelStep, vt: number): ModelMessage {
    const message = { id: this.#nextMessage, step, vt };
    this.#nextMessage += 1;
    this.messages.push(message);
    return message;
  }

  #withdraw(id: number): void {
    this.messages = this.messages.filter((message) => message.id !== id);
  }

  #refresh(): void {
    for (const step of this.steps)
      if (step.state === "pending") step.pending = unsatisfiedParents(step);
  }

  #step(delivery: number): ModelStep {
    return this.deliveries[delivery] as ModelStep;
  }

  #isHeld(delivery: number): boolean {
    return this.isCurrent(delivery) && this.#step(delivery).state === "in_progress";
  }
}
