-- title           = "Person changed where mail or sign-ins of a domain go, who answers for it, all its names, or many records"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1565", "attack.resource_development", "attack.t1584.001", "attack.credential_access", "attack.t1557"]
-- remedy          = "Compare the records with what they were; put back what nobody asked for, and expect that passwords were reset and certificates issued by who got the mail."
-- false_positives = "Whoever moves the mail to another provider."
SELECT eventTime,
       eventName,
       requestParameters -> 'changeBatch' ->> 'changes' AS changes,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'hostedZoneId' AS resource
FROM cloudtrail
WHERE eventSource = 'route53.amazonaws.com'
  AND eventName = 'ChangeResourceRecordSets'
  AND (array_any_match(json_texts(requestParameters, 'changeBatch', 'changes', 'resourceRecordSet', 'type'), t -> t IN ('MX', 'NS'))
       OR array_any_match(json_texts(requestParameters, 'changeBatch', 'changes', 'resourceRecordSet', 'name'), n -> regexp_like(n, '^([*]|\\052)[.]'))
       OR array_any_match(json_texts(requestParameters, 'changeBatch', 'changes', 'resourceRecordSet', 'name'), n -> regexp_like(n, '^(login|log-?in|sign-?in|sso|auth|oauth|accounts?|idp|adfs|okta|vpn|owa|webmail|autodiscover|citrix|remote)[.]'))
          AND array_any_match(json_texts(requestParameters, 'changeBatch', 'changes', 'resourceRecordSet', 'type'), t -> t IN ('A', 'AAAA', 'CNAME'))
       OR json_length(requestParameters, 'changeBatch', 'changes') >= 20)
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
