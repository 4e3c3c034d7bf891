//! The project's documents, and the commands that they tell people to type. Depends on nothing but std: the tests
//! that run those commands include it as a file.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

use std::fs;
use std::path::Path;

/// What a block of code may call itself. A command in a block of another name would be run by nobody.
const LANGUAGES: [&str; 8] = ["sh", "text", "json", "toml", "yaml", "ini", "rust", "sql"];

/// A block of code in a document.
#[derive(Clone, Debug)]
pub struct Block {
    /// The document, from the project's root.
    pub document: String,
    /// The line of its first line, from 1.
    pub line: usize,
    /// What it calls itself.
    pub language: String,
    /// What is in it.
    pub text: String,
}

/// A command in a block of `sh`.
#[derive(Clone, Debug)]
pub struct Command {
    /// Where it stands: `docs/playbook.md:17`.
    pub place: String,
    /// All of it, without the comment behind it.
    pub text: String,
}

/// README.md and docs/*.md, by name: what each is called, and what it says.
pub fn documents(root: &Path) -> Vec<(String, String)> {
    let in_docs = fs::read_dir(root.join("docs")).expect("the project has documents").map(|entry| {
        let name = entry.expect("an entry of docs/").file_name();
        format!("docs/{}", name.to_string_lossy())
    });
    let mut names: Vec<String> = in_docs.filter(|name| name.ends_with(".md")).collect();
    names.push("README.md".to_owned());
    names.sort_unstable();
    let read = |name: String| {
        let text = fs::read_to_string(root.join(&name)).expect("a document is UTF-8");
        (name, text)
    };
    names.into_iter().map(read).collect()
}

/// The blocks of code of a document.
pub fn blocks(document: &str, text: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                let known = LANGUAGES.contains(&language);
                assert!(known, "{document}:{}: a block of {language:?}, not of {LANGUAGES:?}", number + 1);
                let (document, language) = (document.to_owned(), language.to_owned());
                open = Some(Block { document, line: number + 2, language, text: String::new() });
            }
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{document}: a block has no end");
    blocks
}

/// The blocks of one language in all documents.
pub fn blocks_of(root: &Path, language: &str) -> Vec<Block> {
    let documents = documents(root);
    let blocks = documents.iter().flat_map(|(name, text)| blocks(name, text));
    blocks.filter(|block| block.language == language).collect()
}

/// The commands of a block: one a line, longer where a line ends with a backslash or within quotes.
pub fn commands(block: &Block) -> Vec<Command> {
    let (mut commands, mut text) = (Vec::new(), String::new());
    for (number, line) in block.text.lines().enumerate() {
        if text.is_empty() && (line.is_empty() || line.starts_with('#')) {
            continue;
        }
        text.push_str(line.split("  #").next().unwrap_or(line).trim_end());
        if text.ends_with('\\') || text.matches('\'').count() % 2 == 1 {
            text.push('\n');
            continue;
        }
        let place = format!("{}:{}", block.document, block.line + number);
        commands.push(Command { place, text: std::mem::take(&mut text) });
    }
    assert!(text.is_empty(), "{}:{}: a command without its end: {text}", block.document, block.line);
    commands
}

/// The commands of all documents.
pub fn all_commands(root: &Path) -> Vec<Command> {
    blocks_of(root, "sh").iter().flat_map(commands).collect()
}

/// The words in backticks of all documents that begin so: commands within a sentence.
pub fn quoted(root: &Path, start: &str) -> Vec<String> {
    let documents = documents(root);
    let lines = documents.iter().flat_map(|(_, text)| text.lines());
    // Every other piece is within backticks.
    let spans = lines.flat_map(|line| line.split('`').skip(1).step_by(2));
    spans.filter(|span| span.starts_with(start)).map(str::to_owned).collect()
}

/// Where the links of a document lead that do not lead out into the network.
pub fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://"))
}
