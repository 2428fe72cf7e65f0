// Which changes the delta-notifier sends to kimai-sync.
//
// In a stack of your own: paste kimaiSyncRules into config/delta/rules.js and add ...kimaiSyncRules to
// the list that file exports. docker-compose.yml mounts this file as it is.
//
// Ten rules. Six for the properties of a work log that make a Kimai timesheet: that it exists, its
// duration, day, person, task and note. The note counts only with KIMAI_DESCRIPTION=note; otherwise
// nothing is done about it. A change that several rules match arrives several times; kimai-sync makes
// one entry of it in its queue.
//
// Four for what leads from there to Kimai: the project of an activity, the account of a person, and the
// Kimai ids of tasks and accounts. The work logs concerned are found and synced in the background;
// without these rules the sweeps find them later. kimai-sync writes dct:identifier of work logs itself:
// ignoreFromSelf keeps that from coming back, and where it comes all the same nothing is done about it.

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
    // The format with whole terms: URIs told from texts.
    resourceFormat: 'v0.0.1',
    // One message a rule for all that a save in the frontend changes within a second.
    gracePeriod: 1000,
    // Leaves out what changes nothing. Only sparql-parser says which changes are effective: with
    // mu-authorization as `database` set this to false, or nothing is ever sent.
    foldEffectiveChanges: true,
    ignoreFromSelf: true,
    // Sends again after 250 ms when kimai-sync answers 5xx (it could not save the change). Retries
    // may arrive out of order; kimai-sync reads the present state, so that does no harm.
    retry: 3,
  },
}));

export default kimaiSyncRules;
