//! The folders of the versions that ship, embedded.

/// A folder of a version: its name, and its files by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder {
    /// The version.
    pub name: &'static str,
    /// Name and text of each file.
    pub files: &'static [(&'static str, &'static str)],
}

impl Folder {
    /// The text of a file.
    pub fn file(&self, name: &str) -> Option<&'static str> {
        self.files.iter().find(|(file, _)| *file == name).map(|(_, text)| *text)
    }
}

macro_rules! shipped {
    ($($name:literal: $($file:literal)+;)+) => {
        /// Their names, from old to new.
        pub(super) const NAMES: &[&str] = &[$($name),+];
        /// In the order of the names.
        pub(super) static FOLDERS: [Folder; NAMES.len()] = [$(Folder {
            name: $name,
            files: &[$(($file, include_str!(concat!("versions/", $name, "/", $file)))),+],
        }),+];
    };
}

// A test holds that this is what the folders hold.
shipped! {
    "0.17": "version.yaml";
    "0.18": "version.yaml";
    "0.19": "version.yaml";
    "0.20": "version.yaml" "meters.yaml" "configs.json" "env.json" "info.json" "lines.txt" "loggers.txt" "threads.txt";
    "1.0": "version.yaml";
    "1.1": "version.yaml";
    "1.2": "version.yaml";
    "1.3": "version.yaml" "meters.yaml" "endpoints.yaml" "configs.json" "env.json" "info.json" "lines.txt" "loggers.txt" "threads.txt";
    "2.0": "version.yaml" "meters.yaml" "beans.json" "env.json" "info.json" "lines.txt" "loggers.txt" "threads.txt";
}

/// Whether a version may have names of meters of its own; one that says none of these words has those of the one it extends.
pub(super) fn may_name_meters(name: &str) -> bool {
    let says = |text: &str| ["rename", "meters"].iter().any(|word| text.contains(word));
    let names = |folder: &Folder| folder.file("meters.yaml").is_some() || folder.file("version.yaml").is_some_and(says);
    FOLDERS.iter().find(|folder| folder.name == name).is_some_and(names)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_every_folder_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/profile/versions");
        let names = |folder: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&root), NAMES);
        for folder in &FOLDERS {
            let mut files: Vec<&str> = folder.files.iter().map(|(name, _)| *name).collect();
            files.sort_unstable();
            assert_eq!(names(&root.join(folder.name)), files, "{}", folder.name);
        }
    }
}
