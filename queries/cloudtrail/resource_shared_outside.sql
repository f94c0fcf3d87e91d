-- title    = "Resource share admitted another account"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537"]
-- remedy   = "Disassociate the account from the share (DisassociateResourceShare), and set allowExternalPrincipals to false if the share is for the organization alone."
SELECT eventTime,
       eventName,
       requestParameters ->> 'principals' AS principals,
       requestParameters ->> 'resourceArns' AS shared,
       requestParameters ->> 'allowExternalPrincipals' AS external_allowed,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceShareArn', responseElements -> 'resourceShare' ->> 'resourceShareArn', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource IN ('ram.amazonaws.com', 'globalaccelerator.amazonaws.com')
  AND eventName IN ('CreateResourceShare', 'AssociateResourceShare', 'CreateCrossAccountAttachment')
  AND errorCode IS NULL
  AND regexp_like(without_own(requestParameters ->> 'principals', account), '(^|"|iam::)[0-9]{12}([":]|$)')
  AND coalesce(requestParameters ->> 'allowExternalPrincipals', 'true') = 'true'
