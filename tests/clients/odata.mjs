// OASIS's own reading of a metadata document: node odata.mjs < metadata.xml
// Prints JSON: what is wrong with the document, its form as CSDL JSON, and the OpenAPI description made of it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { xml2json } = require("odata-csdl");
const { csdl2openapi } = require("odata-openapi");

const found = [];
const csdl = xml2json(readFileSync(0), { strict: true, messages: found });
const openapi = csdl2openapi(csdl, { messages: found, maxLevels: 1, openapiVersion: "3.1.0" });
console.log(JSON.stringify({ wrong: found.map((each) => each.message ?? String(each)), csdl, openapi }));
