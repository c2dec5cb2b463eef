//! ARCHITECTURE.md tells the truth about the crates: each one is named there, and none imports more than its row says.

#![allow(clippy::unwrap_used)] // A test helper fails by panicking.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Folder -> short names of what it may import, from the table.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let names = cells[3].split(',').filter_map(|name| name.trim().strip_prefix('`')?.strip_suffix('`'));
        (cells[1].trim_matches('`').to_owned(), names.map(str::to_owned).collect())
    })
    .collect()
}

/// Folder -> short names of what its manifest imports, development aside.
fn imported() -> BTreeMap<String, BTreeSet<String>> {
    let mut folders = vec!["loadtest".to_owned(), "benches".to_owned(), "tests/pki".to_owned()];
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        folders.push(format!("crates/{}", entry.unwrap().file_name().to_str().unwrap()));
    }
    let imports = |folder: &String| {
        let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let mut section = String::new();
        let mut names = BTreeSet::new();
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line.to_owned();
            }
            // A package of benches has nothing but development in it.
            let counts = section == "[dependencies]" || folder == "benches";
            if let Some(rest) = line.strip_prefix("portcullis-").filter(|_| counts) {
                names.insert(rest.split(['.', ' ', '=']).next().unwrap().to_owned());
            }
        }
        names
    };
    folders.iter().map(|folder| (folder.clone(), imports(folder))).collect()
}

#[test]
fn every_crate_is_in_the_table_and_imports_no_more_than_it_says() {
    let (allowed, imported) = (allowed(), imported());
    assert_eq!(allowed.keys().collect::<Vec<_>>(), imported.keys().collect::<Vec<_>>());
    for (folder, names) in &imported {
        let beyond: Vec<_> = names.difference(&allowed[folder]).collect();
        assert!(beyond.is_empty(), "{folder} imports {beyond:?}, which ARCHITECTURE.md does not allow");
    }
}

#[test]
fn every_crate_has_a_readme() {
    for folder in imported().keys() {
        assert!(root().join(folder).join("README.md").exists(), "{folder} has no README.md");
    }
}

/// What the load generator says of a server, a stranger could say: only what judges certificates without one knows what the gate is made
/// of.
#[test]
fn the_load_generator_drives_servers_without_the_gates_crates() {
    let source = root().join("loadtest/src");
    let (mut folders, mut importing) = (vec![source.clone()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap().replace("portcullis_test_pki", "");
            if text.contains("portcullis_") {
                let inside = path.strip_prefix(&source).unwrap().components().next().unwrap();
                importing.insert(inside.as_os_str().to_owned());
            }
        }
    }
    assert_eq!(importing.iter().collect::<Vec<_>>(), ["verify"]);
}
