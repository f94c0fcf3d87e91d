-- title           = "Network ACL was opened to all inbound traffic"
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
       CASE WHEN is_person()
                 AND userIdentity.invokedBy IS NULL
                 AND NOT regexp_like(coalesce(userAgent, ''), 'Terraform|OpenTofu|Pulumi|aws-cdk|aws-sam-cli') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateNetworkAclEntry', 'ReplaceNetworkAclEntry')
  AND errorCode IS NULL
  AND requestParameters ->> 'ruleAction' = 'allow'
  AND requestParameters ->> 'egress' = 'false'
  AND requestParameters ->> 'aclProtocol' = '-1'
  AND coalesce(requestParameters ->> 'cidrBlock', requestParameters ->> 'ipv6CidrBlock') IN ('0.0.0.0/0', '::/0')
