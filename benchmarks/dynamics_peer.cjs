// dynamics-web-api at work: node benchmarks/dynamics_peer.cjs URL FILE COLUMN ...
// Reads accounts with change tracking, page by page, into a CSV file, and prints JSON as benchmarks/tasks.py does.

const fs = require("node:fs");
const { DynamicsWebApi } = require("../tests/clients/node_modules/dynamics-web-api");

const [serverUrl, file, ...select] = process.argv.slice(2);
const api = new DynamicsWebApi({ serverUrl, dataApi: { version: "9.2" } });
const how = { collection: "accounts", maxPageSize: 5000, trackChanges: true };

function cell(value) {
  if (value == null) return "";
  return typeof value === "string" ? `"${value.replaceAll('"', '""')}"` : String(value);
}

async function main() {
  const out = fs.openSync(file, "w");
  const began = performance.now();
  const before = process.cpuUsage();
  let page = await api.retrieveMultiple({ ...how, select });
  for (;;) {
    fs.writeSync(out, page.value.map((row) => select.map((name) => cell(row[name])).join(",") + "\n").join(""));
    if (!page.oDataNextLink) break;
    page = await api.retrieveMultiple(how, page.oDataNextLink);
  }
  fs.closeSync(out);
  const cpu = process.cpuUsage(before);
  const wall = (performance.now() - began) / 1000;
  const memory = Math.floor(process.resourceUsage().maxRSS / 1024);
  console.log(JSON.stringify({ wall, cpu: (cpu.user + cpu.system) / 1e6, memory }));
}

main();
