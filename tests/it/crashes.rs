//! What takes memory without end: the results are written all the same, and say why. Threads that
//! overrun a stack are tried in `coroutine`, deep values in `script`.

use crate::peer::Shop;
use crate::tool::Tool;

/// Each user holds a text of 10 MB: all of them more than the limit, each less than it may.
const FAT: &str = r#"user("Fat", #{
    state: #{ text: "" },
    feed: task(|| {
        this.client.get("/hello");
        let text = "0123456789";
        for doubling in 0..20 { text += text; }
        this.text = text;
        sleep(0.01);
    }),
});"#;

#[test]
fn memory_that_runs_out_ends_the_run_with_its_results() {
    let shop = Shop::open();
    let finished = Tool::limited("-v 1200000")
        .file("script.rhai", FAT)
        .args("-f script.rhai --headless --only-summary --json --threads 1 -u 200 -r 20")
        .on(&shop)
        .run()
        .code(3);
    let said = &finished.stderr;
    assert!(
        said.contains("memory runs out: ") || said.contains("for want of memory"),
        "{said}"
    );
    let (requests, failures) = finished.document().row("/hello");
    // Those that were open when memory ran out fail with that reason.
    assert!(requests > failures, "{said}");
}
