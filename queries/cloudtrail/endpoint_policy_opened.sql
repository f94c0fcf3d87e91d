-- title           = "Policy of a VPC endpoint was reset, or set to let everybody do everything"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.007", "attack.exfiltration", "attack.t1048"]
-- remedy          = "Set the policy again as it was. Through an open endpoint who is in the network reaches buckets and queues of any account with keys of any account."
-- false_positives = "A network that never had such a policy, set up by hand."
SELECT eventTime,
       requestParameters -> 'ModifyVpcEndpointRequest' ->> 'PolicyDocument' AS policy,
       requestParameters -> 'ModifyVpcEndpointRequest' ->> 'ResetPolicy' AS reset,
       sourceIPAddress,
       userAgent,
       requestParameters -> 'ModifyVpcEndpointRequest' ->> 'VpcEndpointId' AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyVpcEndpoint'
  AND (requestParameters -> 'ModifyVpcEndpointRequest' ->> 'ResetPolicy' = 'true'
       OR array_any_match(
            coalesce(json_get_array(requestParameters -> 'ModifyVpcEndpointRequest' ->> 'PolicyDocument', 'Statement'),
                     make_array(json_get_json(requestParameters -> 'ModifyVpcEndpointRequest' ->> 'PolicyDocument', 'Statement'))),
            s -> s ->> 'Effect' = 'Allow'
                 AND regexp_like(s ->> 'Principal', '^[*]$|"AWS"\s*:\s*(\[[^\]]*)?"[*]"')
                 AND regexp_like(s ->> 'Action', '^[*]$|"[*]"|:[*]("|$)')
                 AND regexp_like(s ->> 'Resource', '^[*]$|"[*]"')
                 AND NOT json_contains(s, 'Condition')))
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
