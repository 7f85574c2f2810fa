#!lua flags=allow-oom
-- As sandbox_change.lua with the verb delete, also where there is no room for anything else.
-- include sandbox_lib.lua
-- include sandbox_steps.lua
