import { defineHandler, PermanentError } from "@tasker-core/sdk";

export const greet = defineHandler("hello.greet", { inputs: { name: "name" } }, ({ name }) => {
  if (typeof name !== "string" || name === "") throw new PermanentError("Whom shall I greet?");
  return { greeting: `Hello, ${name}!` };
});
