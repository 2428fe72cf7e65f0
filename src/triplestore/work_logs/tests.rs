//! What is an id is the same everywhere, however it is written.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::ids::IdSyntax;
use crate::domain::work_log::resolve;
use crate::triplestore::embedded::Embedded;

const DAY: Date = date(2024, 9, 2);

fn texts() -> impl Strategy<Value = String> {
    let number = prop_oneof![0..200u64, any::<u64>()];
    let before =
        prop::sample::select(vec!["", "0", "000", " ", "+", "+0", "\t\n", "\u{a0}", "-", "#", "1 ", "+ "]);
    let after = prop::sample::select(vec!["", " ", "\n", ".0", "e1", " 2", "é", "０", "\"", "\\"]);
    prop_oneof![
        (before, number, after).prop_map(|(before, number, after)| format!("{before}{number}{after}")),
        "[ +0-3x.\\-]{0,6}",
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A work log, what is left of one, a task and an account carry `text`: whoever reads or searches takes it for
    /// the same id, or for none.
    #[test]
    fn all_places_agree_on_what_is_an_id(text in texts(), other in 1..200u64) {
        let id = EntryId::parse(&text, IdSyntax::Numbers).ok();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Embedded::in_memory().unwrap();
            let written = Literal::string(&text);
            let turtle = format!(
                "<http://x/work-logs/1> a cal:Vevent ; cal:dtstart \"{DAY}\" ; cal:duration \"PT1H\" ; dct:identifier {written} ;
                   dct:subject <http://x/task> ; prov:wasAssociatedWith <http://x/jane> .
                 <http://x/work-logs/left> dct:identifier {written} .
                 <http://x/task> a ext:KimaiActivity ; rdfs:label \"Dev\" ; dct:identifier {written} ; skos:broader <http://x/project> .
                 <http://x/project> a doap:Project ; dct:identifier {written} .
                 <http://x/jane> foaf:name \"Jane\" ; foaf:account <http://x/account> .
                 <http://x/account> a foaf:OnlineAccount ; foaf:accountServiceHomepage <http://kimai> ; dct:identifier {written} ."
            );
            store.update(&format!("{PREFIXES}INSERT DATA {{ {turtle} }}")).await.unwrap();
            let source = SparqlWorkLogs::new(Arc::new(store), Iri::known("http://kimai"));
            let ids: Vec<EntryId> = id.into_iter().collect();
            let work_log = WorkLogUri::parse("http://x/work-logs/1").unwrap();
            let left = WorkLogUri::parse("http://x/work-logs/left").unwrap();
            let facts = source.facts(&work_log).await.unwrap();
            assert_eq!(facts.entry_ids(), ids, "read alone");
            let days = source.days(DAY, DAY).await.unwrap();
            let window = crate::domain::day_windows::windows(DAY, DAY, days).remove(0);
            assert_eq!(source.of_window(&window).await.unwrap()[&work_log].entry_ids(), ids, "read by a sweep");
            assert_eq!(source.dangling().await.unwrap()[&left], ids, "what is left");
            // Asked for by number, among others that are like it.
            let digits: String = text.chars().filter(char::is_ascii_digit).take(18).collect();
            let mut asked = vec![EntryId::number(other), EntryId::number(other * 10)];
            asked.extend(digits.parse::<u64>().ok().filter(|id| *id > 0).map(EntryId::number));
            asked.extend(id);
            let linked = source.linked(&asked).await.unwrap();
            assert_eq!(linked.keys().copied().collect::<Vec<_>>(), ids.iter().copied().filter(|id| asked.contains(id)).collect::<Vec<_>>());
            assert!(linked.values().all(|work_logs| *work_logs == [work_log.clone()]), "{linked:?}");
            let tombstones = source.tombstones(&asked).await.unwrap();
            assert_eq!(tombstones.into_iter().collect::<Vec<_>>(), ids.iter().map(|id| (*id, vec![left.clone()])).collect::<Vec<_>>());
            let directory = source.directory(&[&facts]).await.unwrap();
            let resolved = resolve(&facts, &directory).ok();
            let of = resolved.map(|whole| [whole.project.as_number(), whole.activity.as_number(), whole.user.as_number()]);
            assert_eq!(of, id.map(|id| [id.as_number(); 3]), "task, project and account");
        });
    }
}
