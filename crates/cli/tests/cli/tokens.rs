//! Tokens, as a user meets them.

use super::Place;

#[test]
fn a_token_is_created_listed_and_revoked() {
    let place = Place::new();
    place.run("token list").ok().prints("No tokens yet");
    place.run("token revoke ci").exit(2).says("there is no home here yet");
    assert!(!place.path(".tabwright").exists(), "looking makes no home");
    let made = place.run("token create --name ci --scope predict").ok().says("shown this once").says("ends at 2");
    // The text is all that standard output has, so that a shell can take it from there.
    let text = made.stdout.trim_end().to_owned();
    let parts: Vec<&str> = text.split('_').collect();
    assert_eq!((made.stdout.lines().count(), parts[0], parts[1].len(), parts[2].len()), (1, "tw", 16, 64));
    assert!(!made.stderr.contains(parts[2]), "{}", made.stderr);
    place.run("token create --name ci --scope admin").exit(2).says("tabwright token revoke ci");
    let other = place.run("token create --name nightly --scope write --expires never --json").ok();
    assert_eq!(other.stderr, "");
    let other = other.json();
    assert_eq!((&other["scope"], &other["expires"], &other["state"]), (&"write".into(), &().into(), &"active".into()));
    assert!(other["token"].as_str().unwrap().starts_with(&format!("tw_{}_", other["id"].as_str().unwrap())));
    let list = place.run("token list").ok().prints("nightly").prints("never").prints("active").stdout;
    let listed = place.run("token list --json").ok();
    assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), 2);
    for secret in [parts[2], other["token"].as_str().unwrap().rsplit('_').next().unwrap(), "hash"] {
        assert!(!list.contains(secret) && !listed.stdout.contains(secret));
    }
    place.run("token revoke cii").exit(2).says("did you mean `ci`?");
    place.run("token revoke ci").ok().prints("The token `ci`").prints("is revoked since 2");
    place.run("token revoke ci").ok().prints("is revoked since 2");
    place.run("token create --name ci --scope read --expires 1s").ok();
    // By its text, as it was found where it should not be.
    let revoked = place.run(&format!("token revoke {} --json", other["token"].as_str().unwrap())).ok().json();
    assert_eq!((&revoked["name"], &revoked["state"]), (&"nightly".into(), &"revoked".into()));
    let states = || {
        let document = place.run("token list --json").ok().json();
        let tokens = document["tokens"].as_array().unwrap().clone();
        tokens.iter().map(|t| t["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let over = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while states() != ["revoked", "revoked", "expired"] {
        assert!(std::time::Instant::now() < over, "a token of a second ends");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn what_cannot_be_a_token_is_said() {
    let place = Place::new();
    place.run("token create --scope read").exit(2).says("--name");
    place.run("token create --name ci").exit(2).says("--scope");
    place.run("token create --name ci --scope root").exit(2).says("predict, read, write, admin");
    place.run("token create --name a/b --scope read").exit(2).says("it has `/`");
    place.run("token create --name ci --scope read --expires soon").exit(2).says("such as 30d, or never");
    assert!(!place.path(".tabwright").exists(), "a bad command makes no home");
}
