-- Lets a download answer 206, 304, 412 or 416 and state its length: the transcoder says 200 and chunked only.
-- The node sends x-http-status and x-content-length as initial metadata. Listed before the transcoder, so on the way
-- back it runs after it. An error before the first byte keeps the status that the transcoder gave it.
local allowed = { ["206"] = true, ["304"] = true, ["412"] = true, ["416"] = true }

function envoy_on_response(handle)
  local headers = handle:headers()
  local status, length = headers:get("x-http-status"), headers:get("x-content-length")
  headers:remove("x-http-status")
  headers:remove("x-content-length")
  if headers:get(":status") ~= "200" then return end
  if status and allowed[status] then headers:replace(":status", status) end
  if length and (status == nil or status == "206") then headers:replace("content-length", length) end
end
