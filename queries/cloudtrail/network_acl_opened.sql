-- title           = "Network ACL was opened to all inbound traffic, or to SSH or RDP from everywhere"
-- severity        = "low"
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "cis.4.11", "cis.5.1"]
-- remedy          = "Compare with the subnet's purpose; put the earlier entry back with ReplaceNetworkAclEntry if the ACL was there to shut something out."
-- false_positives = "Default-like ACLs in subnets that security groups protect."
SELECT eventTime,
       eventName,
       requestParameters ->> 'ruleNumber' AS rule_number,
       coalesce(requestParameters ->> 'cidrBlock', requestParameters ->> 'ipv6CidrBlock') AS cidr,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'networkAclId' AS resource,
       CASE WHEN is_by_hand_or_script()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateNetworkAclEntry', 'ReplaceNetworkAclEntry')
  AND errorCode IS NULL
  AND requestParameters ->> 'ruleAction' = 'allow'
  AND requestParameters ->> 'egress' = 'false'
  AND (requestParameters ->> 'aclProtocol' = '-1'
       OR requestParameters ->> 'aclProtocol' = '6'
          AND array_any_match(make_array(22, 3389),
                              port -> port BETWEEN json_get_int(requestParameters, 'portRange', 'from') AND json_get_int(requestParameters, 'portRange', 'to')))
  -- the internet in halves or quarters is the internet
  AND regexp_like(coalesce(requestParameters ->> 'cidrBlock', requestParameters ->> 'ipv6CidrBlock'), '^([0-9.]+/[0-7]|[0-9a-f]*::/[0-3])$')
