"""The revisions of the tables, each a file in `versions`; run through `understudy.storage.schema`."""
