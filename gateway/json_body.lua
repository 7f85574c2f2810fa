-- Hands a JSON body to the node as it came, in x-postroom-json-bin: the transcoder would drop the fields it does not know.
-- Runs before the transcoder, on routes with a JSON body only. An error in here lets the request through, so the node
-- refuses a REST call without the header; it is set for an empty body too.
function envoy_on_request(handle)
  handle:headers():remove("x-postroom-json-bin")
  local body = handle:body()
  local raw = ""
  if body and body:length() > 0 then raw = body:getBytes(0, body:length()) end
  -- headers() again: the object from above died while body() waited
  handle:headers():add("x-postroom-json-bin", handle:base64Escape(raw))
end
