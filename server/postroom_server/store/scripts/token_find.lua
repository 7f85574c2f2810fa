#!lua flags=no-writes
-- The token of a secret.
-- KEYS  1 secrets
-- ARGV  1 SHA-256 of the secret in hexadecimal  2 prefix of token keys
-- Reply NONE | OK id record last-use-ms
local id = redis.call('HGET', KEYS[1], ARGV[1])
if not id then return {'NONE'} end
local token = redis.call('HMGET', ARGV[2] .. id, 'r', 'u')
return {'OK', id, token[1], token[2] or '0'}
