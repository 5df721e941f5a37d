"""The command line: parse, call one function, print one result.

This module imports click and nothing heavy, so that ``toolkit --help`` answers at once; each command is imported when
it is called.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from toolkit import __version__
from toolkit.cli.frame import Lazy, Root

SECTIONS: Mapping[str, Mapping[str, Lazy]] = {
    "Start": {
        "quickstart": Lazy("quickstart", "Tell the whole story on this machine, in a folder of its own."),
        "init": Lazy("start", "Write a toolkit.yaml with comments."),
        "doctor": Lazy("doctor", "Check that an environment can be worked with, and say what to fix."),
        "schema": Lazy(
            "start",
            "Print the JSON Schemas of the YAML files and of what the toolkit writes, or write them to a folder.",
        ),
        "env": Lazy("env", "Environments: create, list, show, define, seed, churn, serve, snapshot, reset."),
    },
    "Bundles": {
        "pack": Lazy("bundle", "Make a solution zip of a source folder."),
        "unpack": Lazy("bundle", "Make a source folder of a solution zip."),
        "validate": Lazy("bundle", "Report everything that is wrong with a bundle, with file and line."),
        "hook": Lazy("hook", "Checks of files for pre-commit: validate, secrets."),
        "diff": Lazy("bundle", "Show what differs between two bundles."),
        "release": Lazy(
            "releasing",
            "Release a source folder of a git work tree: version, changelog, commit, tag, zip and provenance.",
        ),
        "version": Lazy("version", "Versions of bundles: show, bump."),
        "keygen": Lazy("signing", "Make an Ed25519 key to sign bundles with, and print its public key."),
        "sign": Lazy(
            "signing",
            "Sign a zip: the signature goes beside it, as ZIP.sig. What is signed is the bundle before overlay.",
        ),
        "export": Lazy("promotion", "Export a solution from an environment, as a zip or a source folder."),
        "adopt": Lazy("adopt", "Make a bundle of what an environment exports already."),
    },
    "Promotion": {
        "affected": Lazy(
            "promoting", "List which bundles and environments the commits since a revision touch, for a CI matrix."
        ),
        "promote": Lazy(
            "promoting",
            "Commit a solution as an environment has it on a branch, and print the text of the pull request.",
        ),
        "render": Lazy("render", "Show the effective values of a bundle in an environment, each with its origin."),
        "plan": Lazy("promotion", "Show what an import would change, and what that means for the data."),
        "import": Lazy("promotion", "Import a bundle: check, show, apply, sync, verify."),
        "verify": Lazy("promotion", "Check that an environment and its lakes are as configured."),
        "drift": Lazy(
            "drifting", "Show what was changed in an environment since the last apply, and what brings it back."
        ),
        "compare": Lazy("compare", "Show which entities environments export, and how, side by side."),
        "inventory": Lazy("inventory", "Write down the entities of an environment, for checks without a sign-in."),
        "uninstall": Lazy("promotion", "Remove a solution from an environment."),
        "history": Lazy("promotion", "List what was imported and uninstalled, when and by whom."),
        "rollback": Lazy("recovery", "Bring back what was applied earlier, as the next free version."),
        "backup": Lazy("backing_up", "Write the export configuration of an environment to a file, for restore."),
        "restore": Lazy("backing_up", "Bring the export configuration of an environment back to a backup."),
        "unlock": Lazy("locking", "Take the lock of an environment from a holder on another host."),
    },
    "By hand, as the maker portal does it": {
        "lake": Lazy("lake", "Link an environment to a lake: link, unlink, show, adopt."),
        "entity": Lazy("entity", "Manage linked entities: add, remove, list, track."),
        "publisher": Lazy("publisher", "Publishers: create, list."),
        "solution": Lazy("solution", "Solutions: create, add, publish, list, show."),
    },
    "Rows": {
        "sync": Lazy("rows", "Bring the lakes up to the environment, once."),
        "snapshot": Lazy("rows", "Snapshot now what changed since the last snapshot."),
        "pin": Lazy("pins", "Keep what model.json names now, under a name, until it is unpinned."),
        "unpin": Lazy("pins", "Give up a pin: its manifest and its files are removed."),
        "pins": Lazy("pins", "List the pins."),
        "erase": Lazy("erase", "Remove a row, in all its versions, from every file of a lake."),
        "repair": Lazy("repair", "Find what of the lakes is gone or damaged, and make it good."),
        "run": Lazy("run", "Export continuously until stopped."),
        "status": Lazy("rows", "Show how far each linked entity is."),
        "reconcile": Lazy("data", "Compare the rows of the lakes with those of the environment."),
        "estimate": Lazy("data", "Say what an initial sync would take: rows, bytes and requests."),
    },
}

root = Root(
    SECTIONS,
    name="toolkit",
    help="Export to Data Lake configurations of Microsoft Dataverse: versioned, promoted, verified; and the engine "
    "that applies them.",
    epilog="Exit status: 0 done, 1 error, 2 usage, 3 changes pending (with --exit-code), 4 refused by a safety limit, "
    "5 verification failed, 6 locked by someone else, 7 partial: run again to go on.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, prog_name="toolkit")(root)


def main() -> None:
    """Run the command that ``sys.argv`` gives, and leave with its exit status."""
    root.main()
