import { listOf, objectOf, shown } from "../client/api.js";
import { withApi } from "../client/open-api.js";
import type { CommandContext } from "../command-context.js";
import { EXIT } from "../exit-codes.js";
import { renderTable } from "../render/table.js";

/** `tasker template list`: what is registered. */
export async function templateList(
  context: CommandContext,
  { namespace }: { readonly namespace?: string },
): Promise<number> {
  const { output } = context;
  const answer = await withApi(context, async (api) =>
    objectOf(
      await api.call("GET", "/v1/templates", {
        query: { namespace },
        intent: "list the templates",
      }),
    ),
  );
  const templates = listOf(answer["templates"]);
  output.json(answer);
  if (templates.length === 0) {
    output.print("No templates are registered. `tasker dev` registers those of config/tasks.");
  } else {
    const rows = templates.map((template) => [
      `${shown(template["namespace"])}/${shown(template["name"])}`,
      shown(template["version"]),
      shown(template["step_count"]),
      shown(template["description"]),
    ]);
    output.print(
      renderTable([["TEMPLATE", "VERSION", "STEPS", "DESCRIPTION"], ...rows]).join("\n"),
    );
  }
  return EXIT.ok;
}

/** `tasker template info <namespace/name>`: a registered template with its steps. */
export async function templateInfo(
  context: CommandContext,
  { templateVersion }: { readonly templateVersion: string },
  [name = ""]: readonly string[],
): Promise<number> {
  const { output } = context;
  const [namespace, own] = name.includes("/") ? name.split("/", 2) : ["default", name];
  const path = ["v1", "templates", namespace, own, templateVersion]
    .map((part) => encodeURIComponent(part ?? ""))
    .join("/");
  const template = await withApi(context, async (api) =>
    objectOf(await api.call("GET", `/${path}`, { intent: "read the template" })),
  );
  output.json(template);
  output.print(
    output.palette.bold(
      `${shown(template["namespace"])}/${shown(template["name"])} ${shown(template["version"])}`,
    ),
  );
  if (template["description"] != null) output.print(shown(template["description"]));
  const rows = listOf(template["steps"]).map((step) => [
    `  ${shown(step["name"])}`,
    `${shown(step["default_max_attempts"])} attempts`,
    shown(step["description"]),
  ]);
  output.print(renderTable(rows).join("\n"));
  return EXIT.ok;
}
