//! Starting users: when each one starts, and of which class it is.
//!
//! The same on one and on several load threads: a user's number, class and moment belong to the
//! run, not to a thread.

use crate::peer::Shop;
use crate::tool::Tool;

#[test]
fn users_start_one_by_one_at_the_moments_the_rate_gives_them() {
    let script = r#"
        user("U", #{
            wait_time: 100,
            on_start: || { print("start", vu_id(), run_time()); },
            t: task(|| {}),
        });"#;
    for threads in [1, 4] {
        let shop = Shop::open();
        let run = Tool::running(script)
            .args(&format!("-u 20 -r 20 -t 1200ms --threads {threads}"))
            .on(&shop)
            .run()
            .code(0)
            .says(&["all users spawned: 20"]);
        let printed = run.printed();
        let starts = printed.iter().map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let (id, at): (u32, f64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            (id, at)
        });
        let mut starts: Vec<_> = starts.collect();
        starts.sort_by_key(|start| start.0);
        let ids: Vec<_> = starts.iter().map(|start| start.0).collect();
        assert_eq!(ids, (0..20).collect::<Vec<_>>());
        let mut late: Vec<_> = starts
            .iter()
            .map(|(id, at)| at - f64::from(*id) / 20.0)
            .collect();
        // Never too early; the median tells apart from starts in bursts of a second, and stays
        // where it is when the machine is busy for a moment.
        late.sort_by(f64::total_cmp);
        assert!(late[0] >= 0.0, "{late:?}");
        assert!(late[10] < 0.025, "{late:?}");
    }
}

#[test]
fn classes_share_the_users_exactly() {
    let script = r#"
        let base = #{
            wait_time: 100,
            on_start: || { print(vu_id(), vu_class()); },
            t: task(|| {}),
        };
        user("Three", extend(base, #{ weight: 3 }));
        user("One", extend(base, #{ weight: 1 }));
        user("Pair", extend(base, #{ fixed_count: 2 }));"#;
    for threads in [1, 4] {
        for (users, expected) in [
            // The fixed ones come first, whatever their place in the script.
            (1, ["Pair", "", "", "", "", "", "", "", "", ""]),
            (
                10,
                [
                    "Pair", "Pair", "Three", "Three", "One", "Three", "Three", "Three", "One",
                    "Three",
                ],
            ),
        ] {
            let run = Tool::running(script)
                .args(&format!(
                    "-u {users} -r 1000 -t 500ms --threads {threads} -H http://127.0.0.1:1"
                ))
                .run()
                .code(0);
            let mut classes = [""; 10];
            for line in run.printed() {
                let (id, class) = line.split_once(' ').unwrap();
                classes[id.parse::<usize>().unwrap()] = class;
            }
            let count = |classes: [&str; 10], name: &str| {
                classes.iter().filter(|class| **class == name).count()
            };
            for name in ["Pair", "Three", "One", ""] {
                assert_eq!(
                    count(classes, name),
                    count(expected, name),
                    "{name} of {users} users: {classes:?}"
                );
            }
            // Who is fixed comes first.
            assert_eq!(classes[0], "Pair");
        }
    }
}

#[test]
fn tasks_are_picked_by_weight() {
    let shop = Shop::open();
    let script = r#"
        user("U", #{
            often: task(9, || { this.client.get("/hello"); }),
            seldom: task(1, || { this.client.get("/headers"); }),
            never: task(0, || { this.client.get("/cookies"); }),
        });"#;
    Tool::running(script)
        .args("-u 5 -r 1000 -i 1000 --seed 1")
        .on(&shop)
        .run()
        .code(0);
    let often = shop.count("/hello");
    // 900 with a standard deviation of 9.5; the seed makes it the same each time.
    assert!((860..940).contains(&often), "{often}");
    assert_eq!(often + shop.count("/headers"), 1000);
}

#[test]
fn users_count_each_other() {
    let script = r#"
        user("U", #{ t: task(|| {
            if user_count() == 4 { stop_test("all four are here"); }
            sleep(0.01);
        }) });"#;
    Tool::running(script)
        .args("-u 4 -r 50 --threads 2 -H http://127.0.0.1:1")
        .run()
        .code(0)
        .says(&["all four are here"]);
}

/// Each of them has 1 ms of its thread before the next one, so that a round of all takes 1.5 s. Only
/// a few of them fit into the time of this run, which is over as soon as they are there.
#[test]
fn users_that_only_compute_do_not_keep_the_others_from_starting() {
    let mut run = Tool::task("loop { let x = 1; }")
        .args("-H http://127.0.0.1:9 --threads 1 -u 1500 -r 1000000 -t 8")
        .start();
    run.says("all users spawned: 1500");
    run.interrupt();
    run.finish();
}
