//! A file of records that is put aside when it is full, and those that were before it.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::Rotation;

/// After a rotation that failed the file grows by so much before the next one is tried: as much as is written in one go under load.
const RETRY_BYTES: u64 = super::PENDING_BYTES as u64;

/// The file that is written to, as far as its rotation goes.
#[derive(Debug)]
pub(super) struct RotatedFile {
    path: PathBuf,
    rotation: Rotation,
    /// Device and inode: what is at the path may be another file by now.
    id: (u64, u64),
    bytes: u64,
    /// It takes no more than this.
    full_at: u64,
}

impl RotatedFile {
    /// A file that was opened at `path`.
    ///
    /// # Errors
    /// It is not a regular one, and nothing that could be put aside.
    pub(super) fn new(path: &Path, file: &File, rotation: Rotation) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "only a regular file can be rotated"));
        }
        let (path, id, bytes) = (path.to_owned(), id(&metadata), metadata.len());
        Ok(Self { path, rotation, id, bytes, full_at: rotation.bytes })
    }

    /// When it is put aside.
    pub(super) const fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// Notes what was written.
    pub(super) fn grew(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Whether so much more is for the next file. One that is empty takes it, however much it is.
    pub(super) fn is_full_with(&self, bytes: usize) -> bool {
        self.bytes > 0 && self.bytes + bytes as u64 > self.full_at
    }

    /// Puts the file aside and opens the one that follows it.
    ///
    /// # Errors
    /// What cannot be renamed or opened, such as for want of descriptors. Then the file has its name, and records go on into it.
    pub(super) fn rotate(&mut self, open: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<File> {
        let rotated = self.begin_anew(open);
        if rotated.is_err() {
            self.full_at = self.bytes + RETRY_BYTES;
        }
        rotated
    }

    /// Removes the files beyond those that are kept: there are some when fewer are kept than before.
    ///
    /// # Errors
    /// The first that cannot be removed; those behind it stay, too.
    pub(super) fn remove_surplus(&self) -> io::Result<()> {
        let Some(name) = self.path.file_name() else { return Ok(()) };
        let mut prefix = name.to_owned();
        prefix.push(".");
        for entry in fs::read_dir(folder(&self.path))? {
            let name = entry?.file_name();
            if number(&name, &prefix).is_some_and(|number| number > self.rotation.keep) {
                fs::remove_file(self.path.with_file_name(name))?;
            }
        }
        Ok(())
    }

    fn begin_anew(&mut self, open: impl FnOnce(&Path) -> io::Result<File>) -> io::Result<File> {
        // Somebody else may have moved it away: then there is nothing to be put aside.
        let is_there = fs::metadata(&self.path).is_ok_and(|metadata| id(&metadata) == self.id);
        if is_there {
            self.make_room()?;
            fs::rename(&self.path, self.aside(1))?;
        }
        let opened =
            open(&self.path).and_then(|file| Ok((Self::new(&self.path, &file, self.rotation)?, file)));
        match opened {
            Ok((own, file)) => {
                *self = own;
                Ok(file)
            }
            Err(error) => {
                if is_there {
                    fs::rename(self.aside(1), &self.path)?;
                }
                Err(error)
            }
        }
    }

    /// Moves those that were put aside up by one, from the last that must move on, so that none is in the way of another. Where all
    /// places are taken the oldest makes room.
    fn make_room(&self) -> io::Result<()> {
        let is_free = |number: &u32| fs::symlink_metadata(self.aside(*number)).is_err();
        let last = (1..self.rotation.keep).find(is_free).unwrap_or(self.rotation.keep);
        for number in (1..last).rev() {
            fs::rename(self.aside(number), self.aside(number + 1))?;
        }
        Ok(())
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        PathBuf::from(path)
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The number of a file that was put aside, written as [`RotatedFile`] writes it; others' files have other names.
fn number(name: &OsString, prefix: &OsString) -> Option<u32> {
    let digits = name.to_str()?.strip_prefix(prefix.to_str()?)?;
    digits.parse().ok().filter(|number: &u32| number.to_string() == digits)
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::{super::append_to, *};

    /// A folder of its own, gone in the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static COUNT: AtomicUsize = AtomicUsize::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder =
                std::env::temp_dir().join(format!("portcullis-rotation-{}-{number}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("audit.jsonl")
        }

        fn open(&self, keep: u32) -> (RotatedFile, File) {
            let file = append_to(&self.file()).unwrap();
            (RotatedFile::new(&self.file(), &file, Rotation { bytes: 4, keep }).unwrap(), file)
        }

        /// What is there, by name.
        fn content(&self) -> Vec<(String, String)> {
            let mut content: Vec<_> = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let text = fs::read_to_string(entry.path()).unwrap_or_default();
                    (entry.file_name().into_string().unwrap(), text)
                })
                .collect();
            content.sort();
            content
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn listed(content: &[(&str, &str)]) -> Vec<(String, String)> {
        content.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn so_many_are_kept_and_the_oldest_goes() {
        let folder = Folder::new();
        let (mut rotated, mut file) = folder.open(2);
        for line in ["1\n", "2\n", "3\n", "4\n"] {
            file.write_all(line.as_bytes()).unwrap();
            file = rotated.rotate(append_to).unwrap();
        }
        let kept = [("audit.jsonl", ""), ("audit.jsonl.1", "4\n"), ("audit.jsonl.2", "3\n")];
        assert_eq!(folder.content(), listed(&kept));
    }

    #[test]
    fn a_place_that_is_free_is_taken_before_any_goes() {
        let folder = Folder::new();
        fs::write(folder.0.join("audit.jsonl.1"), "b").unwrap();
        fs::write(folder.0.join("audit.jsonl.3"), "a").unwrap();
        folder.open(3).0.rotate(append_to).unwrap();
        let names: Vec<_> = folder.content().into_iter().map(|(_, text)| text).collect();
        assert_eq!(names, ["", "", "b", "a"]);
    }

    #[test]
    fn where_fewer_are_kept_the_others_go_and_no_foreign_file_does() {
        let folder = Folder::new();
        let foreign =
            ["audit.jsonl.03", "audit.jsonl.4.gz", "audit.jsonl.x", "audit.jsonl2", "other.jsonl.9"];
        for name in
            ["audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.3", "audit.jsonl.12"].iter().chain(&foreign)
        {
            fs::write(folder.0.join(name), "").unwrap();
        }
        let rotated = folder.open(2).0;
        rotated.remove_surplus().unwrap();
        let mut left = [&["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"][..], &foreign].concat();
        left.sort_unstable();
        let names: Vec<_> = folder.content().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, left);
    }

    #[test]
    fn a_file_that_somebody_else_moved_away_is_not_put_aside() {
        let folder = Folder::new();
        let (mut rotated, mut file) = folder.open(2);
        file.write_all(b"1\n").unwrap();
        fs::rename(folder.file(), folder.0.join("moved")).unwrap();
        file = rotated.rotate(append_to).unwrap();
        file.write_all(b"2\n").unwrap();
        fs::remove_file(folder.file()).unwrap();
        fs::write(folder.file(), "theirs\n").unwrap();
        file = rotated.rotate(append_to).unwrap();
        file.write_all(b"3\n").unwrap();
        assert_eq!(folder.content(), listed(&[("audit.jsonl", "theirs\n3\n"), ("moved", "1\n")]));
    }

    #[test]
    fn a_rotation_that_fails_leaves_the_file_its_name_and_is_tried_again() {
        let folder = Folder::new();
        let (mut rotated, mut file) = folder.open(1);
        file.write_all(b"1\n").unwrap();
        rotated.grew(2);
        assert!(!rotated.is_full_with(2) && rotated.is_full_with(3));
        // Nothing can be renamed to a folder.
        fs::create_dir(folder.0.join("audit.jsonl.1")).unwrap();
        rotated.rotate(append_to).unwrap_err();
        file.write_all(b"2\n").unwrap();
        assert_eq!(folder.content(), listed(&[("audit.jsonl", "1\n2\n"), ("audit.jsonl.1", "")]));
        assert!(!rotated.is_full_with(3), "it is not tried again for each record");
        rotated.grew(super::super::PENDING_BYTES);
        assert!(rotated.is_full_with(3));
        fs::remove_dir(folder.0.join("audit.jsonl.1")).unwrap();
        rotated.rotate(append_to).unwrap();
        assert_eq!(folder.content(), listed(&[("audit.jsonl", ""), ("audit.jsonl.1", "1\n2\n")]));
        assert!(!rotated.is_full_with(100), "an empty file takes what comes");
    }

    #[test]
    fn where_the_next_cannot_be_opened_the_file_gets_its_name_back() {
        let folder = Folder::new();
        let (mut rotated, mut file) = folder.open(2);
        file.write_all(b"1\n").unwrap();
        let none_left = |_: &Path| Err(io::Error::other("too many open files"));
        rotated.rotate(none_left).unwrap_err();
        file.write_all(b"2\n").unwrap();
        assert_eq!(folder.content(), listed(&[("audit.jsonl", "1\n2\n")]));
        rotated.rotate(append_to).unwrap();
        assert_eq!(folder.content(), listed(&[("audit.jsonl", ""), ("audit.jsonl.1", "1\n2\n")]));
    }

    #[test]
    fn what_is_no_file_is_not_rotated() {
        let null = append_to(Path::new("/dev/null")).unwrap();
        RotatedFile::new(Path::new("/dev/null"), &null, Rotation { bytes: 4, keep: 1 }).unwrap_err();
    }
}
