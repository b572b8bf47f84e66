//! What belongs together is told together.

use std::collections::BTreeMap;

use super::rule::{Rule, Severity};

/// Rules that are told in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name of the group, or of the only rule.
    pub name: String,
    /// The worst of their severities.
    pub severity: Severity,
    /// Which rules, by their place in what was given: the worst first, then in the given order.
    pub rules: Vec<usize>,
}

/// Puts rules that are due together by their groups: the worst group first, then by name.
pub fn grouped(rules: &[&Rule]) -> Vec<Group> {
    // A rule without a group does not fall together with a group of its name.
    let mut members: BTreeMap<(bool, &str), Vec<usize>> = BTreeMap::new();
    for (i, rule) in rules.iter().enumerate() {
        let key = if rule.group.is_empty() { (false, &*rule.name) } else { (true, &*rule.group) };
        members.entry(key).or_default().push(i);
    }
    let mut groups: Vec<Group> = members
        .into_iter()
        .map(|((_, name), mut members)| {
            members.sort_by_key(|i| std::cmp::Reverse(rules[*i].severity));
            let severity = members.first().map_or(Severity::Info, |i| rules[*i].severity);
            Group { name: name.to_owned(), severity, rules: members }
        })
        .collect();
    groups.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.name.cmp(&b.name)));
    groups
}
