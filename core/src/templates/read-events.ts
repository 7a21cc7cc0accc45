import { DELIVERY_MODES, EVENT_CONDITIONS, type EventPublication } from "../model/index.js";
import type { MapReader } from "./map-reader.js";

const EVENT_NAME = /^[a-z0-9_]+(?:\.[a-z0-9_]+)+$/;
const PUBLISHER = /^[A-Za-z_]\w*(?:(?:::|\.)[A-Za-z_]\w*)*$/;

/** Reads one entry of `publishes_events` (`contract/template.md` section 8). */
export function readPublication(reader: MapReader): EventPublication {
  const name = reader.requiredText("name");
  if (name !== "" && !EVENT_NAME.test(name)) {
    const message = `the event name \`${name}\` must be parts of a-z, 0-9 and _ joined by dots, at least two`;
    reader.ctx.error(
      reader.valueOffset("name"),
      reader.pathOf("name"),
      message,
      "for example `order.created`",
    );
  }
  const description = reader.requiredText("description");
  const schema = reader.jsonObject("schema");
  if (reader.node("schema") === null)
    reader.missing("schema", "a JSON Schema of the event's payload");
  const publisher = reader.text("publisher");
  if (publisher !== null && !PUBLISHER.test(publisher)) {
    const message = `the publisher \`${publisher}\` must be an identifier, with \`::\` or \`.\` between its parts`;
    reader.ctx.error(reader.valueOffset("publisher"), reader.pathOf("publisher"), message);
  }
  const publication: EventPublication = {
    name,
    description,
    condition: reader.choice("condition", EVENT_CONDITIONS) ?? "success",
    schema: schema ?? {},
    delivery_mode: reader.choice("delivery_mode", DELIVERY_MODES) ?? "durable",
    publisher,
  };
  reader.reportUnknownKeys();
  return publication;
}
