//! What series a process has and in which families they are shown: everything of a registry that is no value.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use super::catalogue::Catalogue;
use super::prototype::Prototype;
use super::series::Series;
use crate::profile::{Kind, MeterId, Role};

/// Series and their families. A process has two: what it showed at start, which it shares with every process of its kind,
/// and what it registered since. The numbers of the second go on where those of the first end.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) series: Vec<Arc<Series>>,
    /// In the order of the meters.
    pub(super) meters: Vec<Metered>,
    /// In the order of their keys, which is that of the exposition.
    pub(super) families: Vec<Family>,
    /// Lines of the exposition that its series have.
    pub(super) lines: usize,
}

/// A meter that has series.
#[derive(Clone, Debug)]
pub(super) struct Metered {
    pub(super) id: MeterId,
    /// All its series, by label values.
    pub(super) order: Vec<u32>,
}

/// A family of the exposition: a meter, or the maximum of one.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) text: Arc<FamilyText>,
    /// Among the families of the first layout: the number of the one it stands before, or which it stands in for.
    place: u32,
    stands_in: bool,
    /// All its series in the order of the exposition: by label values.
    pub(super) order: Vec<u32>,
}

/// What never changes of a family.
#[derive(Debug)]
pub(super) struct FamilyText {
    pub(super) maximum: bool,
    help: &'static str,
    kind: Kind,
    /// Names of its lines: the plain one, and those of buckets, counts and sums where it has such.
    pub(super) names: [String; 4],
    /// Written when it is first asked for: who never renders never pays.
    header: OnceLock<Vec<u8>>,
}

impl FamilyText {
    /// That of a meter, by the name that Prometheus sees.
    pub(super) fn new(shown: &str, help: &'static str, kind: Kind) -> FamilyText {
        let of = |suffix: &str| match kind {
            Kind::Counter | Kind::Gauge => String::new(),
            Kind::Timer | Kind::Summary | Kind::Histogram => [shown, suffix].concat(),
        };
        let names = [shown.to_owned(), of("_bucket"), of("_count"), of("_sum")];
        FamilyText { maximum: false, help, kind, names, header: OnceLock::new() }
    }

    /// That of the maximum of a meter.
    pub(super) fn of_maximum(shown: &str, help: &'static str) -> FamilyText {
        FamilyText { maximum: true, ..FamilyText::new(&format!("{shown}_max"), help, Kind::Gauge) }
    }

    /// Families are in the order of their names, that of a counter without its `_total` (recorded).
    fn key(&self) -> &str {
        key(&self.names[0])
    }

    /// `# HELP` and `# TYPE`.
    pub(super) fn header(&self) -> &[u8] {
        self.header.get_or_init(|| header(&self.names[0], self.help, self.kind))
    }
}

fn key(shown: &str) -> &str {
    shown.strip_suffix("_total").unwrap_or(shown)
}

impl Layout {
    /// What a process of a role shows at start: the same as of a bare one that registers it series by series.
    pub(super) fn at_start(catalogue: &Catalogue, role: Role) -> Layout {
        let mut layout = Layout::default();
        for (id, meter) in catalogue.profile.meters() {
            let Layout { series, lines, .. } = &mut layout;
            let mut order: Vec<u32> = Vec::new();
            let starts = meter.start.iter().enumerate().filter(|(_, start)| start.roles.contains(&role));
            for new in starts.flat_map(|(place, _)| catalogue.start(id, place)) {
                // The first set of keys wins, and the first of two series with the same labels.
                let first = order.first().map(|first: &u32| &series[*first as usize]);
                let alike = first.is_none_or(|first| first.keys().eq(new.keys()));
                let by_values = |other: &u32| series[*other as usize].values().cmp(new.values());
                // Most come in their order.
                let place = match order.last().map(by_values) {
                    None | Some(Ordering::Less) => Err(order.len()),
                    Some(_) => order.binary_search_by(by_values),
                };
                if let (true, Err(place)) = (alike, place) {
                    order.insert(place, series.len() as u32);
                    *lines += new.lines(catalogue.bounds.len());
                    series.push(new.clone());
                }
            }
            if let (false, Some(names)) = (order.is_empty(), catalogue.names(id)) {
                for text in names.texts() {
                    let family = Family { text: text.clone(), place: 0, stands_in: false, order: order.clone() };
                    layout.families.push(family);
                }
                layout.meters.push(Metered { id, order });
            }
        }
        let Layout { series, families, .. } = &mut layout;
        families.sort_by(|a, b| a.text.key().cmp(b.text.key()));
        // Meters of which Prometheus sees the same name are one family.
        families.dedup_by(|later, family| {
            let same = later.text.key() == family.text.key();
            if same {
                later.order.iter().for_each(|number| put(&mut family.order, *number, |it| &series[it as usize]));
            }
            same
        });
        layout
    }

    /// The numbers of the families that could have a line of a name, first those it is the plain name of.
    pub(super) fn families_of(&self, line: &str) -> impl Iterator<Item = u32> {
        let suffixes = ["", "_bucket", "_count", "_sum"].into_iter();
        let keys = suffixes.filter_map(|suffix| line.strip_suffix(suffix)).map(key);
        let found = keys.filter_map(|key| self.families.binary_search_by(|family| family.text.key().cmp(key)).ok());
        found.map(|number| number as u32)
    }

    /// What there is of a meter.
    pub(super) fn metered(&self, id: MeterId) -> Option<&Metered> {
        self.meters.binary_search_by_key(&id.0, |it| it.id.0).ok().map(|place| &self.meters[place])
    }

    /// Puts a new series into its place: in its meter, and in the families of the exposition. Its number is the next one.
    pub(super) fn insert(&mut self, origin: &Prototype, id: MeterId, new: Arc<Series>) {
        let first = &origin.layout;
        let Some(names) = origin.catalogue.names(id) else { return };
        let number = (first.series.len() + self.series.len()) as u32;
        self.lines += new.lines(origin.catalogue.bounds.len());
        self.series.push(new);
        let Layout { series, meters, families, .. } = self;
        let of = |number: u32| match (number as usize).checked_sub(first.series.len()) {
            None => &*first.series[number as usize],
            Some(own) => &*series[own],
        };
        let unknown = || Metered { id, order: Vec::new() };
        let metered = metered_mut(meters, id, || first.metered(id).cloned().unwrap_or_else(unknown));
        put(&mut metered.order, number, of);
        for text in names.texts() {
            put(&mut family_mut(families, text, first).order, number, of);
        }
    }
}

/// Puts a series into its place among others: by label values.
fn put<'s>(order: &mut Vec<u32>, number: u32, of: impl Fn(u32) -> &'s Series) {
    let place = order.partition_point(|other| of(*other).values().lt(of(number).values()));
    order.insert(place, number);
}

/// What there is of a meter; when it is nothing yet, `new` says what begins here.
fn metered_mut(meters: &mut Vec<Metered>, id: MeterId, new: impl FnOnce() -> Metered) -> &mut Metered {
    let place = meters.binary_search_by_key(&id.0, |it| it.id.0).unwrap_or_else(|place| {
        meters.insert(place, new());
        place
    });
    &mut meters[place]
}

/// The family of a text; one that is new here begins with the series it has in the first layout.
fn family_mut<'a>(families: &'a mut Vec<Family>, text: &Arc<FamilyText>, first: &Layout) -> &'a mut Family {
    let by_key = |family: &Family| family.text.key().cmp(text.key());
    let place = families.binary_search_by(by_key).unwrap_or_else(|place| {
        let family = match first.families.binary_search_by(by_key) {
            Ok(at) => Family { place: at as u32, stands_in: true, ..first.families[at].clone() },
            Err(at) => Family { text: text.clone(), place: at as u32, stands_in: false, order: Vec::new() },
        };
        families.insert(place, family);
        place
    });
    &mut families[place]
}

/// The families of two layouts in the order of the exposition: all of `own`, and of the first layout those with the numbers
/// that are left.
pub(super) struct Families<'a, I: Iterator> {
    first: &'a [Family],
    numbers: std::iter::Peekable<I>,
    own: &'a [Family],
}

impl<'a, I: Iterator<Item = u32>> Families<'a, I> {
    pub(super) fn new(first: &'a Layout, numbers: I, own: &'a Layout) -> Families<'a, I> {
        Families { first: &first.families, numbers: numbers.peekable(), own: &own.families }
    }
}

impl<'a, I: Iterator<Item = u32>> Iterator for Families<'a, I> {
    type Item = &'a Family;

    fn next(&mut self) -> Option<&'a Family> {
        let number = self.numbers.peek().copied();
        if let Some((family, rest)) = self.own.split_first()
            && number.is_none_or(|number| family.place <= number)
        {
            self.own = rest;
            if family.stands_in {
                self.numbers.next_if_eq(&family.place);
            }
            return Some(family);
        }
        self.numbers.next();
        self.first.get(number? as usize)
    }
}

/// `# HELP` and `# TYPE`; a family without help text has two spaces there (recorded).
fn header(name: &str, help: &str, kind: Kind) -> Vec<u8> {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Timer | Kind::Summary => "summary",
        Kind::Histogram => "histogram",
    };
    let help = if help.is_empty() { " ".to_owned() } else { help.replace('\\', "\\\\").replace('\n', "\\n") };
    ["# HELP ", name, " ", &help, "\n# TYPE ", name, " ", kind, "\n"].concat().into_bytes()
}
