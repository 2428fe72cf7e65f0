//! What survives the process, and what is said about a file that cannot be read.

use super::*;

fn open(directory: &Path) -> Result<Embedded, EmbeddedFault> {
    Embedded::open(Some(directory), APPLICATION_GRAPH)
}

fn words(result: Result<Embedded, EmbeddedFault>) -> String {
    result.expect_err("must not open").to_string()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("made/if/need/be");
    let kept = {
        let store = open(&data).expect("a new store");
        update(
            &store,
            "INSERT DATA { x:a x:p 1, \"01\"^^xsd:integer, \"a\\n\\\"\u{1}é😀\", \"b\"@nl, _:b . GRAPH x:g { x:a x:p 1 } GRAPH x:h { _:b x:p 2 } }",
        )
        .await;
        update(&store, "INSERT DATA { x:a x:q \"007\"^^xsd:integer, 8 } ; DELETE { GRAPH x:h { ?s x:p ?o } } WHERE { ?s x:p ?o }").await;
        // By value, although it was written otherwise.
        update(&store, "DELETE DATA { x:a x:q 7 }").await;
        store.dump().expect("dumped")
    };
    let store = open(&data).expect("the same store");
    assert_eq!(store.dump().expect("dumped"), kept);
    assert_eq!(values(&store, "SELECT ?o { x:a x:q ?o }").await, ["8"]);
    assert_eq!(values(&store, "SELECT ?s { ?s x:p 1 }").await, ["a"], "in two graphs, seen once");
    update(&store, "DELETE WHERE { ?s ?p ?o }").await;
    drop(store);
    assert!(open(&data).expect("the same store").is_empty().expect("counted"));
}

#[tokio::test]
async fn a_change_that_could_not_be_queued_is_not_on_disk_either() {
    let directory = tempfile::tempdir().expect("a directory");
    let witness = Arc::new(Witness::default());
    witness.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    let store = open(directory.path()).expect("a new store").with_observer(witness);
    store.update(&text("INSERT DATA { x:a x:p 1 }")).await.expect_err("not queued");
    drop(store);
    assert!(open(directory.path()).expect("the same store").is_empty().expect("counted"));
}

#[tokio::test]
async fn one_directory_serves_one_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = open(directory.path()).expect("a new store");
    let fault = words(open(directory.path()));
    assert!(fault.contains("another process"), "{fault}");
    drop(first);
    open(directory.path()).expect("free again");
}

/// What is done to the file.
type Harm = fn(&Path);

#[tokio::test]
async fn a_damaged_or_foreign_file_is_never_taken_for_an_empty_store() {
    let damage: [(&str, Harm); 6] = [
        ("empty", |file| std::fs::write(file, "").expect("written")),
        ("damaged", |file| {
            std::fs::write(file, "this is no database at all, only a long text").expect("written");
        }),
        ("damaged", |file| {
            let mut bytes = std::fs::read(file).expect("read");
            let half = bytes.len() / 2;
            bytes[half..].fill(0xa5);
            std::fs::write(file, bytes).expect("written");
        }),
        ("not one quad", |file| sql(file, "INSERT INTO quads VALUES ('rubbish')")),
        ("version 99", |file| sql(file, "PRAGMA user_version = 99")),
        ("another program", |file| sql(file, "PRAGMA application_id = 7")),
    ];
    for (said, harm) in damage {
        let directory = tempfile::tempdir().expect("a directory");
        let store = open(directory.path()).expect("a new store");
        let many = (0..500).map(|n| format!("x:s{n} x:p {n} . ")).collect::<Vec<_>>().concat();
        update(&store, &format!("INSERT DATA {{ {many} }}")).await;
        drop(store);
        let file = directory.path().join("triples.sqlite3");
        harm(&file);
        let before = std::fs::read(&file).expect("read");
        let fault = words(open(directory.path()));
        assert!(fault.contains(said) && fault.contains("triples.sqlite3"), "{said}: {fault}");
        assert_eq!(std::fs::read(&file).expect("read"), before, "{said}: the evidence is kept");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("written");
    assert!(words(open(&file)).contains("directory"), "a file is no directory");
}

fn sql(file: &Path, statement: &str) {
    crate::store::sqlite::triples::meddle(file, statement);
}

#[tokio::test]
async fn a_disk_that_disagrees_fails_the_update_and_memory_stays_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = open(directory.path()).expect("a new store");
    update(&store, "INSERT DATA { x:a x:p 1 . x:b x:p 2 }").await;
    {
        let disk = store.disk.as_ref().expect("on disk").lock().expect("free");
        disk.sql(
            "CREATE TRIGGER full BEFORE INSERT ON quads BEGIN SELECT RAISE(ABORT, 'no space left'); END",
        );
    }
    let fault =
        store.update(&text("DELETE DATA { x:a x:p 1 } ; INSERT DATA { x:c x:p 3 }")).await.expect_err("full");
    assert!(fault.to_string().contains("no space left"), "{fault}");
    assert_eq!(all(&store).await, ["a 1 application", "b 2 application"]);
}

#[tokio::test]
async fn files_are_loaded_or_refused_with_the_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, content: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, content).expect("written");
        file
    };
    let (store, witness) = watched();
    let turtle = write("a.ttl", "@prefix x: <http://x/> .\nx:a x:p 1 ;\n  x:q \"é\", [] .\n");
    assert_eq!(store.load(&turtle).await.expect("loaded"), 3);
    assert_eq!(witness.told()[0].len(), 3, "what is loaded is told too");
    let again = store.load(&turtle).await.expect("loaded again");
    assert_eq!(again, 1, "only the blank node is new");
    store.load(&write("b.nt", "<http://x/b> <http://x/p> \"2\" .")).await.expect("loaded");
    store.load(&write("c.nq", "<http://x/c> <http://x/p> \"3\" <http://x/g> .")).await.expect("loaded");
    let trig = "PREFIX x: <http://x/> x:d x:p 4 . GRAPH x:h { x:e x:p 5 }";
    store.load(&write("d.trig", trig)).await.expect("loaded");
    assert_eq!(
        all(&store).await,
        ["a 1 application", "b 2 application", "c 3 g", "d 4 application", "e 5 h"]
    );
    let kept = store.dump().expect("dumped");
    let bad = write("bad.ttl", "@prefix x: <http://x/> .\nx:a x:p 6 .\nx:a x:p .\n");
    let fault = store.load(&bad).await.expect_err("bad").to_string();
    assert!(fault.contains("bad.ttl, line 3"), "{fault}");
    for (file, said) in [(write("a.csv", ""), ".ttl"), (directory.path().join("none.ttl"), "none.ttl")] {
        let fault = store.load(&file).await.expect_err("bad").to_string();
        assert!(fault.contains(said), "{fault}");
    }
    assert_eq!(store.dump().expect("dumped"), kept, "a bad file adds nothing");
}
