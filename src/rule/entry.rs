//! A rule as the user wrote it in YAML: a pattern or a brand, and what goes with either.
//!
//! Owns the keys. Whether a pattern compiles is found out when the rules are gathered (`load`).

use super::brand::{BrandEntry, Technique, Techniques};
use super::load::allowed_domain;
use super::scope::Scope;
use crate::error::Result;
use crate::yaml::{Field, Table};

const KEYS: [&str; 11] = [
    "name",
    "pattern",
    "brand",
    "exclude",
    "tags",
    "severity",
    "scope",
    "lookalikes",
    "own",
    "keywords",
    "techniques",
];
/// Keys that mean something with `pattern` only.
const WITH_PATTERN: [&str; 2] = ["scope", "lookalikes"];
/// Keys that mean something with `brand` only.
const WITH_BRAND: [&str; 3] = ["own", "keywords", "techniques"];

/// A rule as the user wrote it, not yet parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleEntry {
    /// What it is called.
    pub name: Option<String>,
    /// The regex; of a brand, `brand:` and its name.
    pub pattern: String,
    /// The brand, where the rule is one.
    pub brand: Option<BrandEntry>,
    /// The part of a domain that the regex is tried on.
    pub scope: Scope,
    /// Whether digits and pairs that look like the regex's characters match, too.
    pub lookalikes: bool,
    /// Regexes whose matches are not reported.
    pub exclude: Vec<String>,
    /// The user's labels.
    pub tags: Vec<String>,
    /// The user's severity.
    pub severity: Option<String>,
    /// The line it stands on, from 1.
    pub line: u64,
}

impl RuleEntry {
    /// Reads the entries of a list in YAML.
    ///
    /// # Errors
    /// When one has an unknown key, a wrong type, neither pattern nor brand, or a key that means
    /// nothing with the one it has.
    pub fn read_list(list: &Field<'_>) -> Result<Vec<Self>> {
        list.members().iter().map(Self::read).collect()
    }

    fn read(field: &Field<'_>) -> Result<Self> {
        if field.is_text() {
            // A bare pattern is a rule without a name.
            return Ok(Self { line: field.line(), pattern: field.text()?, ..Self::default() });
        }
        let table = field.table(&KEYS)?;
        let text = |key: &str| table.get(key).map(|field| field.text()).transpose();
        let common = Self {
            name: text("name")?,
            exclude: texts(&table, "exclude")?,
            tags: texts(&table, "tags")?,
            severity: text("severity")?,
            ..Self::default()
        };
        match (table.get("pattern"), table.get("brand")) {
            (Some(pattern), None) => {
                refuse(&table, &WITH_BRAND, "brand")?;
                let scope = table.get("scope").map(|scope| scope.one_of(&Scope::WORDS));
                let lookalikes = table.get("lookalikes").map(|lookalikes| lookalikes.flag());
                Ok(Self {
                    line: pattern.line(),
                    pattern: pattern.text()?,
                    scope: scope.transpose()?.unwrap_or_default(),
                    lookalikes: lookalikes.transpose()?.unwrap_or_default(),
                    ..common
                })
            }
            (None, Some(brand)) => {
                refuse(&table, &WITH_PATTERN, "pattern")?;
                let name = brand.text()?;
                let name_or_brand = common.name.clone().unwrap_or_else(|| name.clone());
                Ok(Self {
                    line: brand.line(),
                    name: Some(name_or_brand),
                    pattern: format!("brand:{}", name.to_ascii_lowercase()),
                    brand: Some(read_brand(name, &table)?),
                    ..common
                })
            }
            (Some(_), Some(brand)) => Err(brand
                .fault("the rule has a pattern and a brand")
                .remedy("make two rules of it, or leave one of the two out")),
            (None, None) => Err(field
                .fault("the rule has no pattern")
                .remedy("add `pattern: 'regex'`, or `brand: name`")),
        }
    }
}

fn read_brand(name: String, table: &Table<'_>) -> Result<BrandEntry> {
    let members = |key: &str| table.get(key).map(|field| field.members()).unwrap_or_default();
    let own = |field: &Field<'_>| {
        let written = field.text()?;
        allowed_domain(&written).ok_or_else(|| {
            field
                .fault(format!("`{written}` is no domain"))
                .remedy("write a domain such as example.com, which stands for all below it, too")
        })
    };
    let techniques = members("techniques");
    let techniques: Techniques = if techniques.is_empty() {
        Techniques::ALL
    } else {
        let known = |field: &Field<'_>| field.one_of(&Technique::WORDS);
        techniques.iter().map(known).collect::<Result<_>>()?
    };
    Ok(BrandEntry {
        name,
        own: members("own").iter().map(own).collect::<Result<_>>()?,
        keywords: texts(table, "keywords")?,
        techniques,
    })
}

fn texts(table: &Table<'_>, key: &str) -> Result<Vec<String>> {
    let members = table.get(key).map(|field| field.members()).unwrap_or_default();
    members.iter().map(Field::text).collect()
}

/// Refuses keys that mean something only beside `wanted`, which the rule does not have.
fn refuse(table: &Table<'_>, keys: &[&str], wanted: &str) -> Result<()> {
    match keys.iter().find_map(|key| table.get(key)) {
        Some(field) => Err(field
            .fault(format!("this key means nothing without `{wanted}`"))
            .remedy("take it out")),
        None => Ok(()),
    }
}
