//! This program again, under callgrind.

use std::process::Command;

/// Instructions of a stage.
///
/// # Errors
/// Why they cannot be counted here.
pub fn total(stage: &str) -> Result<u64, String> {
    if !cfg!(target_arch = "x86_64") {
        return Err("what is recorded is of x86-64".to_owned());
    }
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        return Err("valgrind emulates AVX2 only where the processor has it".to_owned());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Err("valgrind is not installed".to_owned());
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("count");
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let ended = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg("--toggle-collect=*counted_stage*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(["stage", stage])
        .status()
        .map_err(|error| error.to_string())?;
    assert!(ended.success(), "valgrind ended with {ended}");
    let text = std::fs::read_to_string(out).map_err(|error| error.to_string())?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.filter(|total| *total > 0).ok_or_else(|| format!("valgrind found no stage `{stage}`"))
}
