/** Writes docs/reference/parity.md: `npx tsx --conditions=@tasker-core/source scripts/parity-page.ts`. */
import { writeFileSync } from "node:fs";
import { parityPage, readBehaviours } from "../test/conformance/behaviours/table.js";

const page = new URL("../docs/reference/parity.md", import.meta.url);
writeFileSync(page, parityPage(readBehaviours()));
