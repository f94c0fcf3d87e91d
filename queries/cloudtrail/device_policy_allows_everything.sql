-- title    = "Policy of devices allows everything"
-- severity = "medium"
-- tags     = ["attack.privilege_escalation", "attack.persistence", "attack.t1098"]
-- remedy   = "Name what a device needs. Whoever has one device's key may otherwise speak for all of them; see which certificates the policy is attached to."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policyDocument' AS policy,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'policyName' AS resource
FROM cloudtrail
WHERE eventSource = 'iot.amazonaws.com'
  AND eventName IN ('CreatePolicy', 'CreatePolicyVersion')
  AND array_any_match(
        coalesce(json_get_array(requestParameters ->> 'policyDocument', 'Statement'), make_array(json_get_json(requestParameters ->> 'policyDocument', 'Statement'))),
        s -> s ->> 'Effect' = 'Allow'
             AND regexp_like(s ->> 'Action', '(^|")(iot:)?[*]("|$)')
             AND regexp_like(s ->> 'Resource', '(^|")[*]("|$)'))
  AND errorCode IS NULL
