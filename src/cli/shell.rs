//! `completions` and `man`: for the shell of whoever has installed the binary, made of the command line as it is.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Exit, complain, print, with_references};
use crate::document;

/// Where shells look.
pub(super) const EXAMPLES: &str = "\
For example:
  mock-kestra completions bash > /usr/share/bash-completion/completions/mock-kestra
  mock-kestra completions zsh > \"${fpath[1]}/_mock-kestra\"
  mock-kestra completions fish > ~/.config/fish/completions/mock-kestra.fish";

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Of this command: test, `export promtool`, ... [default: of all of them, what each does]
    command: Vec<String>,
    /// Write the page of each command into this folder, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// What everything is called.
const NAME: &str = "mock-kestra";

impl Completions {
    pub(super) fn run(&self) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), NAME, &mut script);
        let script = String::from_utf8_lossy(&script);
        // In bash a name with a dash is written in two ways, and what stands behind a command is not completed (clap's issue
        // 6421): the name has one.
        print(&match self.shell {
            Shell::Bash => script.replace("mock__subcmd__kestra__", "mock__kestra__"),
            _ => script.into_owned(),
        });
        Exit::Ok
    }
}

impl Man {
    pub(super) fn run(&self) -> Exit {
        let mut all = with_references().disable_help_subcommand(true);
        all.build();
        if let Some(folder) = &self.dir {
            return match std::fs::create_dir_all(folder).and_then(|()| write_pages(&all, folder)) {
                Ok(()) => Exit::Ok,
                Err(why) => {
                    complain(&format!("error: cannot write into {}: {why}\n", folder.display()));
                    Exit::Cannot
                }
            };
        }
        let command = match named(&all, &self.command) {
            Ok(command) => command,
            Err(why) => {
                complain(&format!("error: {why}\n"));
                return Exit::Input;
            }
        };
        let mut text = Vec::new();
        match page(command).render(&mut text) {
            Ok(()) => {
                print(&String::from_utf8_lossy(&text));
                Exit::Ok
            }
            Err(why) => {
                complain(&format!("error: cannot make the page: {why}\n"));
                Exit::Cannot
            }
        }
    }
}

/// The page of a command.
fn page(command: &Command) -> clap_mangen::Man {
    clap_mangen::Man::new(command.clone()).source(format!("{NAME} {}", env!("CARGO_PKG_VERSION"))).manual(NAME)
}

/// Writes the page of a command, and those of all below it.
fn write_pages(command: &Command, folder: &Path) -> std::io::Result<()> {
    let page = page(command);
    let mut text = Vec::new();
    page.render(&mut text)?;
    std::fs::write(folder.join(page.get_filename()), text)?;
    command.get_subcommands().try_for_each(|command| write_pages(command, folder))
}

/// The command that words name, one below the other.
fn named<'c>(all: &'c Command, words: &[String]) -> Result<&'c Command, String> {
    words.iter().try_fold(all, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            format!("`{word}` is no command: {}", document::instead(word, known))
        })
    })
}
