//! What is read as what, and each complaint word for word.

use super::*;

fn fault(text: &str, read: impl Fn(&Field<'_>) -> Result<()>) -> String {
    let file = Path::new("c.yaml");
    Document::read(text.as_bytes(), file)
        .and_then(|document| read(&document.root()))
        .expect_err(text)
        .to_string()
}

#[test]
fn complaints_name_file_line_key_and_remedy() {
    let read = |root: &Field<'_>| {
        let table = root.table(&["server", "size", "on", "count"])?;
        table.get("server").map(|field| field.text()).transpose()?;
        table.get("size").map(|field| field.size()).transpose()?;
        table.get("on").map(|field| field.flag()).transpose()?;
        table.get("count").map(|field| field.number(1)).transpose()?;
        Ok(())
    };
    let table = [
        ("a: 1\n", "c.yaml:1:1: a: unknown key\n  remedy: known here: server, size, on, count"),
        ("\nsever: x\n", "c.yaml:2:1: sever: unknown key\n  remedy: did you mean `server`?"),
        ("server: [x]\n", "c.yaml:1:9: server: text is wanted here, not a list"),
        ("size: lots\n", "c.yaml:1:7: size: a size above zero is wanted here, not `lots`"),
        ("on: 3\n", "c.yaml:1:5: on: true or false is wanted here, not `3`"),
        ("count: 0\n", "c.yaml:1:8: count: a whole number from 1 up is wanted here, not `0`"),
        ("size: 0\n", "c.yaml:1:7: size: a size above zero is wanted here, not `0`"),
        ("on: y\n", "c.yaml:1:5: on: true or false is wanted here, not `y`"),
        ("server: ''\n", "c.yaml:1:9: server: text is wanted here, not empty text"),
        (
            "count: \"a\\n\"\n",
            "c.yaml:1:8: count: a whole number from 1 up is wanted here, not text",
        ),
        (
            "on: no\nsize: 1\non: yes\n",
            "c.yaml:3:1: on: this key stands on line 1 already\n  remedy: keep one of the two",
        ),
        ("- x\n", "c.yaml:1:1: a group of keys is wanted here, not a list"),
    ];
    for (text, expected) in table {
        let shown = fault(text, read);
        assert!(shown.starts_with(expected), "{text}: {shown}");
        assert!(shown.contains("remedy: "), "{text}: {shown}");
    }
}

#[test]
fn what_is_no_yaml_is_refused_with_its_line() {
    let accept = |_: &Field<'_>| Ok(());
    let table = [
        ("a: [1\nb: 2\n", "c.yaml:2:2: illegal placement of ':' indicator\n"),
        ("a: 1\n b: 2\n", "c.yaml:2:3: mapping values are not allowed in this context\n"),
        ("a:\n\tb: 1\n", "c.yaml:2:2: tabs disallowed within this context"),
        ("a: *.example\n", "c.yaml:1:4: alias references unknown anchor\n"),
        ("a: 'x\n", "c.yaml:1:4: unclosed quote\n"),
        ("--- {}\n--- {}\n", "c.yaml:2:5: a second document begins here\n  remedy: keep one"),
    ];
    for (text, expected) in table {
        let shown = fault(text, accept);
        assert!(shown.starts_with(expected), "{text}: {shown}");
        assert!(shown.contains("\n  remedy: "), "{text}: {shown}");
    }
    let error = Document::read(b"a: 1\nb: \xff\n", Path::new("c.yaml")).expect_err("not UTF-8");
    assert!(error.to_string().starts_with("c.yaml:2: the file is not UTF-8"), "{error}");
}

#[test]
fn sizes_and_flags_in_their_spellings() {
    let text = "a: 16 MiB\nb: 4096\nc: 2gib\nd: True\ne: yes\nf: 'off'\n";
    let document = Document::read(text.as_bytes(), Path::new("c.yaml")).expect("is YAML");
    let table = document.root().table(&["a", "b", "c", "d", "e", "f"]).expect("is a table");
    let size = |key| table.get(key).expect("is there").size().expect("is a size");
    assert_eq!((size("a"), size("b"), size("c")), (16 << 20, 4096, 2 << 30));
    let flag = |key| table.get(key).expect("is there").flag().expect("is a flag");
    assert_eq!((flag("d"), flag("e"), flag("f")), (true, true, false));
}

#[test]
fn text_stays_as_it_is_written() {
    let text = "é: &one 0123\nlist: [on, No, 1.0, 1e5, 0x10, 1_0, .inf, *one, 'on']\r\n";
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        let document = Document::read(text.as_bytes(), Path::new("c.yaml")).expect("is YAML");
        let table = document.root().table(&["é", "list"]).expect("is a table");
        let members = table.get("list").expect("is there").members();
        let texts: Result<Vec<String>> = members.iter().map(Field::text).collect();
        let written = ["on", "No", "1.0", "1e5", "0x10", "1_0", ".inf", "0123", "on"];
        assert_eq!(texts.expect("are texts"), written);
    }
}
