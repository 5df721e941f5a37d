// dynamics-web-api at work: node dynamics.mjs URL
// Runs every scenario against the environment at URL, and prints JSON: what each came to, or how it failed.

import { DynamicsWebApi } from "dynamics-web-api";

const api = new DynamicsWebApi({
  serverUrl: process.argv[2],
  dataApi: { version: "9.2" },
  onTokenRefresh: async () => "a-token",
  propagateErrors: true,
});
const collection = "accounts";
const select = ["name", "numberofemployees"];
const names = (rows) => rows.map((row) => row.name).sort();
const create = (name, numberofemployees) => api.create({ collection, data: { name, numberofemployees } });

async function refusal(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return [error.status, error.code ?? null];
  }
}

const scenarios = {
  async "create and retrieve"() {
    const key = await create("One", 1);
    const read = await api.retrieve({ collection, key, select });
    return [read.name, read.numberofemployees, read.accountid === key];
  },

  async "create with representation"() {
    const data = { name: "Shown" };
    const made = await api.create({ collection, data, returnRepresentation: true, select });
    await api.deleteRecord({ collection, key: made.accountid });
    return [made.name, made.numberofemployees];
  },

  async "retrieve with annotations"() {
    const { value } = await api.retrieveMultiple({
      collection, filter: "name eq 'One'", select: ["name", "statecode"], includeAnnotations: "*",
    });
    return value.map((row) => [row.statecode, row["statecode@OData.Community.Display.V1.FormattedValue"]]);
  },

  async "update, one property, upsert"() {
    const { value: [{ accountid: key }] } = await api.retrieveMultiple({ collection, filter: "name eq 'One'", select });
    await api.update({ collection, key, data: { numberofemployees: 2 } });
    await api.updateSingleProperty({ collection, key, fieldValuePair: { description: "told" } });
    await api.upsert({ collection, key: "00000000-0000-0000-0000-0000000000aa", data: { name: "Upserted" } });
    const read = await api.retrieve({ collection, key, select: ["numberofemployees", "description"] });
    const made = await api.retrieve({ collection, key: "00000000-0000-0000-0000-0000000000aa", select });
    return [read.numberofemployees, read.description, made.name];
  },

  async "the etag of an older state is refused"() {
    const key = await create("Tagged", 1);
    const read = await api.retrieve({ collection, key, select });
    const ifmatch = read["@odata.etag"];
    await api.update({ collection, key, data: { numberofemployees: 2 }, ifmatch });
    const refused = await refusal(api.update({ collection, key, data: { numberofemployees: 3 }, ifmatch }));
    await api.deleteRecord({ collection, key });
    return refused;
  },

  async "follow pages"() {
    for (let number = 0; number < 7; number++) await create(`Page ${number}`, number);
    const request = { collection, select, filter: "startswith(name,'Page ')", orderBy: ["name"], maxPageSize: 3 };
    const sizes = [];
    let page = await api.retrieveMultiple(request);
    for (;;) {
      sizes.push(page.value.length);
      if (!page.oDataNextLink) break;
      page = await api.retrieveMultiple(request, page.oDataNextLink);
    }
    const all = await api.retrieveAll(request);
    return [sizes, names(all.value)];
  },

  async "count"() {
    const counted = await api.retrieveMultiple({
      collection, select, filter: "startswith(name,'Page ')", count: true, top: undefined,
    });
    return [counted.oDataCount, await api.count({ collection, filter: "startswith(name,'Page ')" })];
  },

  async "a lookup, bound and expanded"() {
    const contact = await api.create({ collection: "contacts", data: { lastname: "Of the account" } });
    const key = await api.create({
      collection, data: { name: "With contact", "primarycontactid@odata.bind": `/contacts(${contact})` },
    });
    const expand = [{ property: "primarycontactid", select: ["lastname"] }];
    const read = await api.retrieve({ collection, key, select: ["name"], expand });
    return read.primarycontactid.lastname;
  },

  async "track changes"() {
    const request = { collection, select, trackChanges: true, maxPageSize: 4 };
    const first = await api.retrieveAll(request);
    const deltas = [];
    let link = first.oDataDeltaLink;
    const follow = async () => {
      const page = await api.retrieveMultiple(request, link);
      link = page.oDataDeltaLink;
      const gone = page.value.filter((row) => row.reason === "deleted").map((row) => row.id);
      deltas.push([names(page.value.filter((row) => !row.reason)), gone.length]);
      return gone;
    };
    await follow();
    const kept = await create("Tracked", 1);
    const dropped = await create("Dropped", 1);
    await follow();
    await api.update({ collection, key: kept, data: { numberofemployees: 5 } });
    await api.deleteRecord({ collection, key: dropped });
    const [gone] = await follow();
    return [first.value.length > 4, deltas, gone === dropped];
  },

  async "a filter and tracked changes do not go together"() {
    return refusal(api.retrieveMultiple({ collection, select, trackChanges: true, filter: "name eq 'x'" }));
  },

  async "a batch"() {
    api.startBatch();
    api.create({ collection, data: { name: "Batch 1" } });
    api.create({ collection, data: { name: "Batch 2" } });
    const made = await api.executeBatch();
    const found = await api.retrieveMultiple({ collection, select, filter: "startswith(name,'Batch ')" });
    return [made.length, names(found.value)];
  },

  async "a batch is done whole or not at all"() {
    api.startBatch();
    api.create({ collection, data: { name: "Never" } });
    api.deleteRecord({ collection, key: "00000000-0000-0000-0000-00000000dead" });
    const refused = await refusal(api.executeBatch());
    const found = await api.retrieveMultiple({ collection, select, filter: "name eq 'Never'" });
    return [refused !== null, found.value.length];
  },

  async "associate and disassociate"() {
    const contact = await api.create({ collection: "contacts", data: { lastname: "Related" } });
    const key = await create("Relating", 1);
    const single = { collection, primaryKey: key, navigationProperty: "primarycontactid" };
    await api.associateSingleValued({ ...single, relatedCollection: "contacts", relatedKey: contact });
    const before = await api.retrieve({ collection, key, select: ["_primarycontactid_value"] });
    await api.disassociateSingleValued(single);
    const after = await api.retrieve({ collection, key, select: ["_primarycontactid_value"] });
    return [before._primarycontactid_value === contact, after._primarycontactid_value];
  },

  async "metadata"() {
    const entity = await api.retrieveEntity({
      key: "LogicalName='account'", select: ["LogicalName", "EntitySetName", "ChangeTrackingEnabled"],
    });
    const { value } = await api.retrieveAttributes({
      entityKey: "LogicalName='account'", castType: "Microsoft.Dynamics.CRM.StateAttributeMetadata",
      select: ["LogicalName"], expand: [{ property: "OptionSet", select: ["Options"] }],
    });
    return [entity.EntitySetName, entity.ChangeTrackingEnabled, value.map((one) => one.OptionSet.Options.length)];
  },

  async "functions"() {
    const me = await api.callFunction({ name: "WhoAmI" });
    const version = await api.callFunction({ name: "RetrieveVersion" });
    return [Object.keys(me).filter((key) => key.endsWith("Id")).sort(), version.Version.split(".").length];
  },

  async "what is not there"() {
    const key = "00000000-0000-0000-0000-00000000dead";
    return [await refusal(api.retrieve({ collection, key, select })), await refusal(api.retrieveMultiple({ collection: "nothings" }))];
  },

  async "delete"() {
    const { value } = await api.retrieveMultiple({ collection, select: ["accountid"], filter: "startswith(name,'Page ')" });
    for (const { accountid: key } of value) await api.deleteRecord({ collection, key });
    return api.count({ collection, filter: "startswith(name,'Page ')" });
  },
};

const told = {};
for (const [name, scenario] of Object.entries(scenarios)) {
  try {
    told[name] = await scenario();
  } catch (error) {
    told[name] = { failed: error.stack ?? String(error), status: error.status, code: error.code };
  }
}
console.log(JSON.stringify(told));
