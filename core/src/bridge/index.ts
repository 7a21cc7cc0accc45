export { formatJoinAddress, type JoinAddress, parseJoinAddress } from "./join-address.js";
export { JoinDoor, type JoinDoorOptions } from "./join-door.js";
export type { JoinedPeer, Seat } from "./joined-peer.js";
export { PeerFeed } from "./peer-feed.js";
export { BridgeSupervisor } from "./supervisor.js";
export type { BridgeMetrics, BridgeSupervisorOptions } from "./types.js";
