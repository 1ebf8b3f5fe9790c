//! Where secrets end, and how much of what has come may be the beginning of one: said of each byte
//! at once, by an automaton that never goes back.

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

/// Where the automaton is.
pub(super) type State = StateID;

/// Looks for all patterns at once.
pub(super) struct Finder {
    automaton: NFA,
    start: State,
    /// By the number of the state.
    known: Vec<Known>,
}

/// What a state says of the text that led to it. Patterns have at most 4096 bytes.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The length of the longest pattern that the text ends with; 0: of none.
    ended: u16,
    /// The length of the longest end of the text that a pattern begins with and goes on from.
    open: u16,
    /// The length of the shortest such pattern.
    whole: u16,
}

impl Finder {
    pub(super) fn new(mut patterns: Vec<Vec<u8>>) -> Self {
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(&patterns)
            .expect("the settings of a tenant are far below four gigabytes");
        let start = automaton
            .start_state(Anchored::No)
            .expect("it is built for searches that begin anywhere");
        let mut finder = Self {
            automaton,
            start,
            known: Vec::new(),
        };
        // What is known of a text is made of what is known of shorter ones.
        patterns.sort_by_key(Vec::len);
        for pattern in &patterns {
            finder.learn_beginnings(pattern);
        }
        for pattern in &patterns {
            finder.learn_whole(pattern);
        }
        finder
    }

    fn learn_beginnings(&mut self, pattern: &[u8]) {
        let whole = short(pattern.len());
        let mut state = self.start;
        for (length, byte) in (1..).zip(pattern) {
            state = self.next(state, *byte);
            let ended = self.longest(state);
            let known = self.known_mut(state);
            known.ended = ended;
            if length < whole {
                known.open = length;
                if known.whole == 0 {
                    known.whole = whole;
                }
            }
        }
    }

    /// A pattern that no longer one goes on from leaves open what its end does.
    fn learn_whole(&mut self, pattern: &[u8]) {
        let walk = |text: &[u8]| {
            let next = |state, byte: &u8| self.next(state, *byte);
            text.iter().fold(self.start, next)
        };
        let (state, rest) = (walk(pattern), walk(&pattern[1..]));
        let rest = self.known(rest);
        let known = self.known_mut(state);
        if known.open == 0 {
            (known.open, known.whole) = (rest.open, rest.whole);
        }
    }

    fn longest(&self, state: State) -> u16 {
        if !self.automaton.is_match(state) {
            return 0;
        }
        let matches = 0..self.automaton.match_len(state);
        let lengths = matches.map(|at| {
            let pattern = self.automaton.match_pattern(state, at);
            self.automaton.pattern_len(pattern)
        });
        short(lengths.max().unwrap_or(0))
    }

    /// Where nothing has come yet.
    pub(super) fn start(&self) -> State {
        self.start
    }

    /// Where a byte leads.
    pub(super) fn next(&self, state: State, byte: u8) -> State {
        self.automaton.next_state(Anchored::No, state, byte)
    }

    /// The length of the longest pattern that ends here; 0 where none does.
    pub(super) fn ended(&self, state: State) -> usize {
        self.known(state).ended.into()
    }

    /// How many bytes before this may be the beginning of a pattern that goes on.
    pub(super) fn open(&self, state: State) -> usize {
        self.known(state).open.into()
    }

    /// The length of the shortest pattern that goes on from those.
    pub(super) fn whole(&self, state: State) -> usize {
        self.known(state).whole.into()
    }

    /// The start has no place of its own: nothing is open there.
    fn known(&self, state: State) -> Known {
        let known = self.known.get(state.as_usize());
        known.copied().unwrap_or_default()
    }

    fn known_mut(&mut self, state: State) -> &mut Known {
        let at = state.as_usize();
        if at >= self.known.len() {
            self.known.resize(at + 1, Known::default());
        }
        &mut self.known[at]
    }
}

fn short(length: usize) -> u16 {
    u16::try_from(length).expect("a pattern has at most 4096 bytes")
}
