// Which changes the delta-notifier sends to kimai-sync.
//
// In your own stack: copy kimaiSyncRules into config/delta/rules.js and add ...kimaiSyncRules to
// the list that file exports. docker-compose.yml mounts this file unchanged.
//
// Ten rules. Six are for the properties of a work log that affect its timesheet: its existence,
// duration, day, person, task and note. The note counts only with KIMAI_DESCRIPTION=note; otherwise
// it is ignored. A change that several rules match arrives several times; kimai-sync makes
// one entry of it in its queue.
//
// Four are for the resources between: the project of an activity, the account of a person, and the
// Kimai IDs of tasks and accounts. The affected work logs are found and synced in the background;
// without these rules the sweeps find them later. kimai-sync writes dct:identifier of work logs itself:
// ignoreFromSelf keeps that from being sent back, and if it is sent anyway, it is ignored.

const kimaiSyncRules = [
  {
    predicate: 'http://www.w3.org/1999/02/22-rdf-syntax-ns#type',
    object: 'http://www.w3.org/2002/12/cal/ical#Vevent',
  },
  { predicate: 'http://www.w3.org/2002/12/cal/ical#duration' },
  { predicate: 'http://www.w3.org/2002/12/cal/ical#dtstart' },
  { predicate: 'http://www.w3.org/ns/prov#wasAssociatedWith' },
  { predicate: 'http://purl.org/dc/terms/subject' },
  { predicate: 'http://www.w3.org/2002/12/cal/ical#comment' },
  { predicate: 'http://www.w3.org/2004/02/skos/core#broader' },
  { predicate: 'http://xmlns.com/foaf/0.1/account' },
  { predicate: 'http://xmlns.com/foaf/0.1/accountServiceHomepage' },
  { predicate: 'http://purl.org/dc/terms/identifier' },
].map(({ predicate, object }) => ({
  match: {
    predicate: { type: 'uri', value: predicate },
    ...(object && { object: { type: 'uri', value: object } }),
  },
  callback: { url: 'http://kimai-sync/delta', method: 'POST' },
  options: {
    // The format with complete terms, which distinguishes URIs from literals.
    resourceFormat: 'v0.0.1',
    // One message per rule for everything that a save in the frontend changes within a second.
    gracePeriod: 1000,
    // Leaves out changes without effect. Only sparql-parser reports which changes are effective: with
    // mu-authorization as `database` set this to false, or nothing is ever sent.
    foldEffectiveChanges: true,
    ignoreFromSelf: true,
    // Retries after 250 ms if kimai-sync answers 5xx (it could not save the change). Retries
    // may arrive out of order; kimai-sync reads the current state, so that does no harm.
    retry: 3,
  },
}));

export default kimaiSyncRules;
