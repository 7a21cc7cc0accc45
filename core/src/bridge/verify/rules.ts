/** A rule of the bridge protocol: `section` is the heading of docs/reference/bridge.md that states it. */
export interface Rule {
  readonly section: number;
  readonly text: string;
  /** Not asked of languages whose numbers cannot do it. */
  readonly isAdvice?: true;
}

const table = {
  "frame.valid": { section: 1, text: "Nothing but frames within the limits is on the channel" },
  "frame.split": { section: 1, text: "Frames are read however their bytes are cut" },
  "frame.coalesced": { section: 1, text: "Several frames in one read are all taken" },
  "channel.stdio": {
    section: 2,
    text: "The channel can be stdin and stdout; what is printed stays off it",
  },
  "handshake.hello": { section: 3, text: "`hello` answers `challenge` within 5 s" },
  "handshake.manifest": {
    section: 3,
    text: "`hello` declares pools, slots and the conformance handlers",
  },
  "handshake.highest": { section: 3, text: "The highest common protocol is chosen" },
  "handshake.version": { section: 3, text: "Without a common protocol the process gives up" },
  "handshake.reject": {
    section: 3,
    text: "After `reject` the process ends with an exit code above 0",
  },
  "handshake.early": { section: 3, text: "A step right behind `welcome` is taken" },
  "header.schema": { section: 4, text: "Every header has the fields of its type" },
  "header.unknown": { section: 4, text: "Unknown fields of a header are ignored" },
  "value.json": { section: 5, text: "Every body is JSON; NaN and the like are never sent" },
  "value.integer": {
    section: 5,
    text: "Integers over 2^53 come back unrounded, or as text",
    isAdvice: true,
  },
  "value.number": { section: 5, text: "Numbers come back with the same value" },
  "value.float": { section: 5, text: "A float such as 1.0 stays one", isAdvice: true },
  "value.unicode": { section: 5, text: "Text and keys come back unchanged" },
  "value.null": { section: 5, text: "null and a missing key stay different" },
  "answer.result": { section: 6, text: "A result says where its value ends" },
  "answer.error": { section: 6, text: "An error carries what the handler said about it" },
  "answer.not_found": {
    section: 6,
    text: "A callable nobody knows is a permanent `handler_not_found`",
  },
  "answer.invalid_result": {
    section: 6,
    text: "A value that is not JSON is a permanent `invalid_result`",
  },
  "answer.too_large": {
    section: 6,
    text: "A value over the frame limit is a permanent `payload_too_large`",
  },
  "answer.once": {
    section: 6,
    text: "One terminal message per delivery, and only for deliveries it has",
  },
  "answer.checkpoint": {
    section: 6,
    text: "A checkpoint that yields ends its delivery and is continued",
  },
  "slots.parallel": { section: 7, text: "As many steps run at once as there are slots" },
  "order.before_terminal": {
    section: 7,
    text: "Beats, logs, events and checkpoints come before the terminal message",
  },
  "order.log": { section: 7, text: "Log records of a step come with its delivery id" },
  "order.beat": { section: 7, text: "Heartbeats name their delivery, with progress from 0 to 1" },
  "ping.idle": { section: 8, text: "`ping` is answered with the same number" },
  "ping.busy": { section: 8, text: "`ping` is answered while handlers run" },
  "cancel.stops": { section: 8, text: "A cancelled step answers within the grace" },
  "cancel.timeout": { section: 8, text: "A step out of time answers within the grace" },
  "cancel.late": { section: 8, text: "A `cancel` that crossed its answer changes nothing" },
  "drain.idle": { section: 9, text: "`drain` with nothing to do: `bye`, exit code 0" },
  "drain.finishes": {
    section: 9,
    text: "`drain` lets running steps finish, then `bye`, exit code 0",
  },
  "stop.bye": { section: 9, text: "After `bye` of the host the process ends" },
  "stop.eof": { section: 9, text: "When the channel ends, the process ends within 5 s" },
  "stop.sigterm": { section: 9, text: "SIGTERM: `drain`, finish, `bye`, exit code 0" },
  "fault.unknown_type": { section: 10, text: "An unknown message type gets `nack unsupported`" },
  "fault.bad_header": {
    section: 10,
    text: "A header that is no JSON object gets `nack bad_header`",
  },
  "fault.missing_field": { section: 10, text: "A missing field gets `nack missing_field`" },
  "fault.too_large": {
    section: 10,
    text: "A frame over the limit gets `nack too_large` and is skipped",
  },
  "fault.bad_frame": { section: 10, text: "Impossible lengths end the connection" },
  "fault.ack": { section: 10, text: "Stale, repeated and unknown acks are harmless" },
  "output.print": { section: 11, text: "What handlers print is ordinary output" },
  "child.channel": { section: 11, text: "Processes that handlers start do not hold the channel" },
  "join.proof": {
    section: 12,
    text: "Over a socket the process proves that it knows the token, and does not send it",
  },
  "join.host_proof": { section: 12, text: "A host that does not prove itself gets nothing done" },
  "join.tcp": { section: 12, text: "The process joins over loopback TCP as well" },
  "join.resume": {
    section: 12,
    text: "A broken connection is resumed with the same `resume_id` and what is held",
  },
} satisfies Record<string, Rule>;

export type RuleId = keyof typeof table;

export const RULES: Readonly<Record<RuleId, Rule>> = table;
