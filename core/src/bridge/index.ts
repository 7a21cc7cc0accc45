export { EventDesk } from "./event-desk.js";
export { formatJoinAddress, type JoinAddress, parseJoinAddress } from "./join-address.js";
export { JoinDoor, type JoinDoorOptions } from "./join-door.js";
export type { JoinedPeer, Seat } from "./joined-peer.js";
export type { EventInterest, EventStream } from "./peer-events.js";
export { PeerFeed } from "./peer-feed.js";
export type { PeerSession } from "./session.js";
export { BridgeSupervisor } from "./supervisor.js";
export type { BridgeMetrics, BridgeSupervisorOptions } from "./types.js";
