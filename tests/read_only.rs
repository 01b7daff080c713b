//! A database that may be read and not written: refused at the start, with the remedy, and left
//! as it was.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::testenv::{Folder, start_unprivileged};

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    std::fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).unwrap();
}

/// A folder with a database of one domain in the folder `d`.
fn stored() -> Folder {
    let folder = Folder::new();
    folder.write("rules.txt", "example\n");
    folder.write("one.jsonl", "{\"message_type\":\"dns_entries\",\"data\":[\"a.example.com\"]}\n");
    let words = ["replay", "-q", "--rules=rules.txt", "--database=d/kept.db", "one.jsonl"];
    assert_eq!(folder.run(&words), 0, "{}", folder.stderr());
    folder
}

#[test]
fn a_file_or_folder_that_may_not_be_written_is_refused_and_left_as_it_was() {
    // What is read-only, which database is asked for, and what is said of it.
    let table = [
        ("d/kept.db", 0o444, "d/kept.db", "d/kept.db: the database is read-only"),
        ("d", 0o555, "d/kept.db", "d/kept.db: "),
        ("d", 0o555, "d/new.db", "d/new.db.lock: cannot open the lock file: Permission"),
    ];
    for (name, mode, database, says) in table {
        let folder = stored();
        let before = std::fs::read(folder.path("d/kept.db")).unwrap();
        set_mode(&folder, name, mode);
        let words =
            ["--server=ws://127.0.0.1:1/", "--rules=rules.txt", "-q", "--database", database];
        let Some(mut program) = start_unprivileged(&folder, &words) else { return };
        let code = program.end().code();
        let said = folder.stderr();
        set_mode(&folder, name, 0o755);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(says) && said.contains("remedy: let the user"), "{name}: {said}");
        assert_eq!(std::fs::read(folder.path("d/kept.db")).unwrap(), before);
        assert!(!folder.path("d/new.db").exists());
    }
}
