//! A CT log on loopback: entries, a tree of its own making, signed heads, and the ways in which a
//! log itself can go wrong. How it is served is the business of `server`, what goes wrong on
//! the way there that of `fault`. Independent of the program's code on purpose: an oracle.

mod entry;
mod fault;
mod http;
mod key;
mod list;
mod listener;
mod proxy;
mod reader;
mod requests;
mod rfc6962;
mod server;
mod synthetic;
mod tiles;
mod tree;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;

pub use entry::{Entry, Signed, entries_of_tile, real_entries, real_tile};
pub use fault::{Fault, RetryAfter, Times};
pub use key::{Key, tree_head};
pub use proxy::Proxy;
pub use reader::{Reader, alpha, decoded};
pub use requests::{most_at_once, most_within};
pub use server::LogServer;
pub use synthetic::{AUTHORITY_NAME, Synthetic, made};
pub use tree::{Hash, sha256};

use key::{Head, SigningKey};
use tree::Tree;

/// What a log can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// static-ct-api alone.
    Tiles,
    /// RFC 6962 alone; its entries have no `leaf_index`.
    Rfc6962,
    /// Both; the log list has it as a tiled log.
    Both,
}

/// How a log signs its heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// As it should.
    Good,
    /// With its key, but not these bytes.
    Broken,
    /// With another key, and that key's id.
    Stranger,
}

/// How many entries `get-entries` gives at most.
#[derive(Clone, Copy, Debug)]
pub enum Pages {
    UpTo(u64),
    /// From one to this many, another number each time.
    Varying(u64),
}

/// A log; clones are the same log.
#[derive(Clone)]
pub struct TestLog(Arc<Mutex<State>>);

/// All there is to a log.
struct State {
    /// The first part of its paths, and of its origin.
    name: String,
    operator: String,
    protocol: Protocol,
    /// Its state in the log list, and since when its certificates expire, and until when.
    listed: String,
    interval: [String; 2],
    has_names: bool,
    pages: Pages,
    key: SigningKey,
    stranger: SigningKey,
    signing: Signing,
    entries: Vec<Entry>,
    tree: Tree,
    head: Head,
    frozen: bool,
    /// Every size that a head has had: partial tiles exist for these alone.
    published: BTreeSet<u64>,
    /// Full tiles that have been packed, by what they are called below the log's path.
    packed: HashMap<String, Arc<[u8]>>,
}

impl TestLog {
    /// An empty log that answers both protocols and has names tiles.
    pub fn new(name: &str, key: Key) -> Self {
        let key = SigningKey::generate(key);
        let tree = Tree::default();
        Self(Arc::new(Mutex::new(State {
            name: name.to_owned(),
            operator: "Operator".to_owned(),
            protocol: Protocol::Both,
            listed: "usable".to_owned(),
            interval: ["2020-01-01T00:00:00Z".to_owned(), "2040-01-01T00:00:00Z".to_owned()],
            has_names: true,
            pages: Pages::UpTo(1000),
            head: key.sign(0, tree.root(0), now()),
            key,
            stranger: SigningKey::generate(Key::Ecdsa),
            signing: Signing::Good,
            entries: Vec::new(),
            tree,
            frozen: false,
            published: BTreeSet::new(),
            packed: HashMap::new(),
        })))
    }

    /// Answers one protocol only; to be said before anything is appended.
    pub fn speaking(self, protocol: Protocol) -> Self {
        assert!(self.state().entries.is_empty());
        self.state().protocol = protocol;
        self
    }

    /// Has another operator than the others.
    pub fn run_by(self, operator: &str) -> Self {
        self.state().operator = operator.to_owned();
        self
    }

    /// Has no names tiles, like most logs.
    pub fn without_names(self) -> Self {
        self.state().has_names = false;
        self
    }

    /// Its state in the log list from now on, such as `readonly`.
    pub fn list_as(&self, state: &str) {
        self.state().listed = state.to_owned();
    }

    /// Its temporal interval in the log list from now on, as RFC 3339.
    pub fn set_interval(&self, begin: &str, end: &str) {
        self.state().interval = [begin.to_owned(), end.to_owned()];
    }

    /// How much `get-entries` gives from now on; 1,000 at first.
    pub fn set_pages(&self, pages: Pages) {
        self.state().pages = pages;
    }

    /// Appends entries, and unless frozen publishes a head that covers them.
    pub fn append(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.state();
        for entry in entries {
            let leaf = entry.leaf(state.index(state.tree.size()));
            state.tree.append(&leaf);
            state.entries.push(entry);
        }
        if !state.frozen {
            let size = state.tree.size();
            state.publish(size);
        }
    }

    /// How many entries it has, published or not.
    pub fn size(&self) -> u64 {
        self.state().tree.size()
    }

    /// The root of its first `size` entries.
    pub fn root(&self, size: u64) -> Hash {
        self.state().tree.root(size)
    }

    /// Each index with the names of its entry: what a database must hold of this log.
    pub fn expected(&self) -> Vec<(u64, Vec<String>)> {
        (0..).zip(self.state().entries.iter().map(|entry| entry.names.clone())).collect()
    }

    /// One of its entries.
    pub fn entry(&self, index: u64) -> Entry {
        self.state().entries[usize::try_from(index).unwrap()].clone()
    }

    /// Serves the present head from now on, byte for byte, whatever is appended.
    pub fn freeze(&self) {
        self.state().frozen = true;
    }

    /// Publishes heads again, the first of them now.
    pub fn thaw(&self) {
        let mut state = self.state();
        state.frozen = false;
        let size = state.tree.size();
        state.publish(size);
    }

    /// Publishes a head of a smaller tree, and no other until thawed. Tiles stay.
    pub fn shrink(&self, size: u64) {
        let mut state = self.state();
        state.publish(size);
        state.frozen = true;
    }

    /// Changes the entry at `index`, and with it every tree from there on, and signs that.
    pub fn fork(&self, index: u64) {
        let mut state = self.state();
        state.tree.truncate(index);
        let at = usize::try_from(index).unwrap();
        state.entries[at] = state.entries[at].altered();
        let leaves: Vec<Vec<u8>> = (index..)
            .zip(&state.entries[at..])
            .map(|(i, entry)| entry.leaf(state.index(i)))
            .collect();
        leaves.iter().for_each(|leaf| state.tree.append(leaf));
        state.packed.clear();
        let size = state.tree.size();
        state.publish(size);
    }

    /// How it signs from now on; the present head is signed anew.
    pub fn sign(&self, signing: Signing) {
        let mut state = self.state();
        state.signing = signing;
        let size = state.head.size;
        state.publish(size);
    }

    /// Its public key as DER.
    pub fn key(&self) -> Vec<u8> {
        self.state().key.public()
    }

    /// What it was called when it was made: the last part of its URL.
    pub fn name(&self) -> String {
        self.state().name.clone()
    }

    /// What its checkpoints begin with.
    pub fn origin(&self) -> String {
        self.state().origin()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    /// What the `leaf_index` of the entry at `index` says.
    fn index(&self, index: u64) -> Option<u64> {
        (self.protocol != Protocol::Rfc6962).then_some(index)
    }

    /// Submissions would go to another host than readers do, as with real logs.
    fn origin(&self) -> String {
        format!("{0}.log.example/{0}", self.name)
    }

    /// Makes the first `size` entries public.
    fn publish(&mut self, size: u64) {
        self.published.insert(size);
        let key = if self.signing == Signing::Stranger { &self.stranger } else { &self.key };
        self.head = key.sign(size, self.tree.root(size), now());
        if self.signing == Signing::Broken {
            *self.head.signature.last_mut().unwrap() ^= 1;
        }
    }

    /// The head to serve: signed anew when it is a second old, as logs do.
    fn head(&mut self) -> &Head {
        if !self.frozen && now() - self.head.timestamp >= 1000 {
            self.publish(self.head.size);
        }
        &self.head
    }

    fn checkpoint(&mut self) -> String {
        let key = if self.signing == Signing::Stranger { &self.stranger } else { &self.key };
        let (origin, log_id) = (self.origin(), key.log_id());
        self.head().checkpoint(&origin, &log_id)
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap()
}
