import { defineHandler } from "@tasker-core/sdk";
import { HandlerRegistry } from "@tasker-core/sdk/host";
import { Engine } from "/work/main/core/src/bootstrap.js";
import { defaultConfig } from "/work/main/core/src/config/index.js";
import { createLogger } from "/work/main/core/src/observability/index.js";
import { parseTemplate } from "/work/main/core/src/templates/index.js";
const N=+process.argv[2]||1, CONC=+process.argv[3]||1;
const yaml = `
name: linear
namespace_name: demo
version: 1.0.0
identity_strategy: always_unique
steps:
${[0,1,2,3].map(i=>`  - name: s${i}\n    handler: { callable: h${i} }\n    dependencies: [${i?`s${i-1}`:""}]`).join("\n")}
`;
const {template,diagnostics}=parseTemplate(yaml,"x.yaml",{});
if(!template) throw new Error(JSON.stringify(diagnostics));
const registry = new HandlerRegistry(); await registry.initialize?.();
for(const i of [0,1,2,3]) registry.register(`h${i}`, defineHandler(`h${i}`, {depends: i?{prev:`s${i-1}`}:{}, inputs:{n:"n"}}, async (a:any)=>({v:(a.prev?.v??a.n)+1})) as any);
const config = defaultConfig();
const engine = new Engine({databaseUrl:"postgres://postgres@127.0.0.1:54999/t2",config,logger:createLogger({level:"info"}),templates:[template],handlers:registry,migrate:true});
await engine.start();
const sig=new AbortController().signal;
const q=(a:number[],p:number)=>a.sort((x,y)=>x-y)[Math.floor(a.length*p)];
const lat:number[]=[];let left=N;const t0=performance.now();
await Promise.all(Array.from({length:CONC},async()=>{while(left-->0){const s=performance.now();const t=await engine.createTask({name:"linear",namespace:"demo",version:"1.0.0",context:{n:1}});const st=await engine.waitForTask(t,sig);if(st!=="complete")console.log(st);lat.push(performance.now()-s)}}));
const el=(performance.now()-t0)/1000;
console.log("p50",q(lat,.5)!.toFixed(2),"p99",q(lat,.99)!.toFixed(2),"steps/s",Math.round(N*4/el), engine.worker.pump.counts, engine.worker.link.counts());
await engine.stop();
