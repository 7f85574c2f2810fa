#!lua
-- Changes messages of a sandbox account, each from the state in which it is found; what is so already is no change.
-- KEYS  1 sandbox  2 mailboxes  3 messages  4 history  5 references  6 channel of hints, for sandbox_lib.lua
-- ARGV  1, 2 as sandbox_lib.lua says  3 verb: edit, move, copy, delete  4 mailbox that the messages must be in, 0 for any
--       5 source, 0 for every mailbox  6 target (delete: the trash), 0 for none  7 most messages  8 most flags of a message
--       . number of flags to add, then these  . flags to remove  . mailboxes to add  . mailboxes to remove
--       . messages
-- Reply GONE | MAILBOX | FULL | OK (message, D done U unchanged G gone R refused, new message or 0, flags)*
-- include sandbox_lib.lua
-- include sandbox_steps.lua
