//! Writes every faulty certificate to `DIR/NAME.der` and the list of them to `DIR/cases.tsv`, for programs that judge
//! certificates: `cargo run -p portcullis-test-pki --example faulty_certificates -- DIR`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

use portcullis_test_pki::{Authority, faulty_certificates};

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("the directory is missing")?);
    std::fs::create_dir_all(&directory)?;
    let mut list = String::new();
    for case in faulty_certificates(&Authority::qtsp()?)? {
        std::fs::write(directory.join(format!("{}.der", case.name)), &case.der)?;
        writeln!(list, "{}\t{}", case.name, case.what)?;
    }
    std::fs::write(directory.join("cases.tsv"), list)?;
    Ok(())
}
