//! Files of records, and when they are put aside.

use super::*;
use crate::Rotation;

fn with(lines: &str) -> String {
    format!("{GOOD}[log]\n{lines}\n")
}

#[test]
fn a_file_is_rotated_where_it_is_said_when() {
    let bench = Bench::new();
    let log = bench.good(&with("access_file = \"a\"")).log;
    assert_eq!((log.access_rotation, log.audit_rotation), (None, None));
    let files = "access_file = \"a\"\naccess_rotate_bytes = \"100m\"\naudit_file = \"b\"\naudit_rotate_bytes = 65536\naudit_keep = 1";
    let log = bench.good(&with(files)).log;
    assert_eq!(log.access_rotation, Some(Rotation { bytes: 100 << 20, keep: 10 }));
    assert_eq!(log.audit_rotation, Some(Rotation { bytes: 64 << 10, keep: 1 }));
}

#[test]
fn what_cannot_be_rotated_so_is_told() {
    let bench = Bench::new();
    let tells = |lines: &str, key: &str, words: &str| {
        let needle = key.trim_start_matches("log.");
        bench.tells(&with(lines), needle, key, words);
    };
    let file = "audit_file = \"b\"\n";
    let (bytes, keep) = ("log.audit_rotate_bytes", "log.audit_keep");
    tells(&format!("{file}audit_rotate_bytes = \"63k\""), bytes, "must be from 64k to 1024g");
    tells(&format!("{file}audit_rotate_bytes = \"1025g\""), bytes, "must be from 64k to 1024g");
    tells(&format!("{file}audit_rotate_bytes = \"100MiB\""), bytes, "units: k, m, g");
    tells(&format!("{file}audit_rotate_bytes = \"1m\"\naudit_keep = 0"), keep, "must be from 1 to 1000");
    tells(&format!("{file}audit_rotate_bytes = \"1m\"\naudit_keep = 1001"), keep, "must be from 1 to 1000");
    tells(&format!("{file}audit_keep = 3"), keep, "has no effect without `audit_rotate_bytes`");
    // Standard output is nobody's to put aside.
    tells("audit_rotate_bytes = \"1m\"", bytes, "has no effect without `audit_file`");
    tells("audit_rotate_bytes = \"1m\"\naccess_file = \"a\"", bytes, "has no effect without `audit_file`");
}
