#!lua flags=allow-oom
-- As sandbox_change.lua with the verb delete, also where there is no room for anything else.
-- KEYS  1 sandbox  2 mailboxes  3 messages  4 history  5 references  6 channel of hints, for sandbox_lib.lua
-- ARGV  1, 2 as sandbox_lib.lua says, the rest and the reply as sandbox_change.lua says
-- include sandbox_lib.lua
-- include sandbox_steps.lua
