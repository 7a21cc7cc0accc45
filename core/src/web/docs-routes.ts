import { z } from "zod";
import { type ApiInfo, openApi } from "./openapi.js";
import { type Route, route, TextReply } from "./route.js";

/** `/api-docs`: the description of everything else, and a page that shows it. */
export function docsRoutes(routes: readonly Route[], info: ApiInfo): Route[] {
  const document = openApi(routes, info);
  const common = { method: "GET", permission: null, tag: "docs" } as const;
  return [
    route({
      ...common,
      path: "/api-docs/openapi.json",
      summary: "This API as OpenAPI 3.1.",
      reply: z.record(z.string(), z.json()),
      handle: async () => document,
    }),
    route({
      ...common,
      path: "/api-docs/ui",
      summary: "This API for people.",
      replyType: "text/html",
      reply: z.string(),
      handle: async () => new TextReply(page(routes, info.title), "text/html; charset=utf-8"),
    }),
  ];
}

function page(routes: readonly Route[], title: string): string {
  const rows = routes.map(
    ({ method, path, summary, permission }) =>
      `<tr><td>${method}</td><td><code>${escapeHtml(path)}</code></td><td>${escapeHtml(summary)}</td><td>${escapeHtml(permission ?? "")}</td></tr>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font:15px/1.5 system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem}td{padding:.2rem .8rem .2rem 0;vertical-align:top}</style>
<h1>${escapeHtml(title)}</h1><p><a href="openapi.json">OpenAPI 3.1</a></p>
<table><tr><th>Method</th><th>Path</th><th></th><th>Permission</th></tr>${rows.join("\n")}</table></html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
